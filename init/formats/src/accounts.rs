//! Users and groups of an OS, from its files: passwd(5), group(5), shadow(5).

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The home directory.
    pub home: String,
}

/// The user with this name. If there is none, the user with this number. Invalid lines are ignored.
pub fn user(passwd: &str, wanted: &str) -> Option<User> {
    let users = || passwd.lines().filter_map(read_user);
    let number = wanted.parse::<u32>().ok();
    users()
        .find(|user| user.name == wanted)
        .or_else(|| users().find(|user| number.is_some_and(|number| user.uid == number)))
}

fn read_user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let (name, _password) = (fields.next()?, fields.next()?);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let (_comment, home) = (fields.next()?, fields.next()?);
    Some(User { name: name.to_owned(), uid, gid, home: home.to_owned() }).filter(|_| !name.is_empty())
}

/// The number of the group with this name.
pub fn group(groups: &str, wanted: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, gid) = (fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
        (name == wanted).then_some(gid)
    })
}

/// shadow(5) with a new password hash for a user. A user without a line gets one, without any date limits.
pub fn with_password(shadow: &str, name: &str, hash: &str) -> String {
    let mut found = false;
    let mut text: String = shadow
        .split_terminator('\n')
        .map(|line| match line.split_once(':') {
            Some((user, rest)) if user == name => {
                found = true;
                let rest = rest.split_once(':').map_or("::::::", |(_, rest)| rest);
                format!("{name}:{hash}:{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    if !found {
        text.extend([name, ":", hash, ":::::::\n"]);
    }
    text
}

/// passwd(5) with a user's password moved to shadow(5). `None` if it is there already.
pub fn with_shadow(passwd: &str, name: &str) -> Option<String> {
    let mut changed = false;
    let text = passwd
        .split_terminator('\n')
        .map(|line| {
            let mut fields = line.splitn(3, ':');
            match (fields.next(), fields.next(), fields.next()) {
                (Some(user), Some(password), Some(rest)) if user == name && password != "x" => {
                    changed = true;
                    format!("{user}:x:{rest}\n")
                }
                _ => format!("{line}\n"),
            }
        })
        .collect();
    changed.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
        # no line\n\
        broken:x:many:0::/:\n\
        1000:x:1002:1002:a name of digits:/home/digits:/bin/sh\n\
        admin::1000:1001:Ad Min,,,:/home/admin:/bin/bash";

    #[test]
    fn users_are_found_by_name_and_number() {
        let found = |wanted: &str| user(PASSWD, wanted).map(|user| (user.uid, user.gid, user.home));
        assert_eq!(found("root"), Some((0, 0, "/root".to_owned())));
        assert_eq!(found("admin"), Some((1000, 1001, "/home/admin".to_owned())));
        assert_eq!(found("1"), Some((1, 1, "/usr/sbin".to_owned())));
        assert_eq!(
            found("1000"),
            Some((1002, 1002, "/home/digits".to_owned())),
            "a name takes precedence over a number"
        );
        for nobody in ["broken", "", "# no line", "7", "-1", "adm"] {
            assert_eq!(found(nobody), None, "{nobody}");
        }
        let groups = "root:x:0:\nssl-cert:x:104:a,b\nbroken:x:\n";
        assert_eq!(
            ["root", "ssl-cert", "broken", "a"].map(|name| group(groups, name)),
            [Some(0), Some(104), None, None]
        );
    }

    #[test]
    fn a_password_goes_into_shadow_and_nothing_else_changes() {
        let shadow = "root:*:19000:0:99999:7:::\nadmin:!:19001::::::\nshort\n";
        assert_eq!(
            with_password(shadow, "root", "$6$a$b"),
            "root:$6$a$b:19000:0:99999:7:::\nadmin:!:19001::::::\nshort\n"
        );
        assert_eq!(with_password("a:b", "a", "h"), "a:h:::::::\n");
        assert_eq!(
            with_password("a:b:\r\n\r", "c", "h"),
            "a:b:\r\n\r\nc:h:::::::\n",
            "a carriage return is text"
        );
        assert_eq!(with_password("x:*:::::::", "new", "h"), "x:*:::::::\nnew:h:::::::\n");
        assert_eq!(with_shadow(PASSWD, "root"), None);
        let moved = with_shadow(PASSWD, "admin").unwrap();
        assert!(moved.ends_with("\nadmin:x:1000:1001:Ad Min,,,:/home/admin:/bin/bash\n"));
        assert_eq!(moved.lines().count(), PASSWD.lines().count());
    }
}
