//! Values for Git.

use super::{pattern, values};

values! {
    /// The URL of a repository.
    Repository(String) = "https:// or ssh:// URL, or user@host:path",
        pattern(r"^(?!-)(([Hh][Tt][Tt][Pp][Ss]|[Ss][Ss][Hh])://[^\s/]+(/\S*)?|[^\s/:]*@[^\s/:]*:\S+)$"),
        repository, Clone::clone;
    /// The name of a branch or tag.
    Branch(String) = "name", pattern(r"^(?!-)\S+$"), branch, Clone::clone;
}

fn word(text: &str) -> Result<String, String> {
    if text.is_empty()
        || text.starts_with('-')
        || text.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(format!(
            "{text:?} is not a valid argument for Git: it is empty, starts with \"-\", or contains a space"
        ));
    }
    Ok(text.to_owned())
}

/// The name of a branch or tag: no refspec, no revision (git-check-ref-format(1)).
fn branch(text: &str) -> Result<String, String> {
    let name = word(text)?;
    let is_odd = name.contains(['~', '^', ':', '?', '*', '[', '\\', '+'])
        || ["..", "@{", "//"].iter().any(|odd| name.contains(odd))
        || name.starts_with('/')
        || name.ends_with(['/', '.'])
        || name == "@";
    if is_odd { Err(format!("\"{name}\" is not the name of a branch or tag")) } else { Ok(name) }
}

/// A repository that git(1) can clone, on a remote server that authenticates itself, because its contents run as root.
/// Options, other transports (`ext::`, `file://`) and texts that a shell or ssh(1) would treat as an option are
/// refused.
fn repository(text: &str) -> Result<String, String> {
    let text = word(text)?;
    let refuse = |what: &str| {
        Err(format!("{what}; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected"))
    };
    let not_one = || refuse(&format!("\"{text}\" is not a repository"));
    let Some((scheme, rest)) = text.split_once("://") else {
        let is_scp = text.split_once(':').is_some_and(|(host, path)| {
            let parts = host.split_once('@');
            !host.contains('/')
                && !path.starts_with([':', '-'])
                && !path.is_empty()
                && parts.is_some_and(is_peer)
        });
        return if is_scp { Ok(text) } else { not_one() };
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    // The user name of ssh is not a secret. In an https URL, this part is a password or a token.
    if let Some((user, _)) = authority.rsplit_once('@')
        && (scheme != "ssh" || user.contains(':'))
    {
        return Err("a URL with a password is refused: others can read it".to_owned());
    }
    match scheme.as_str() {
        "https" | "ssh" if is_peer(authority.split_once('@').unwrap_or(("git", authority))) => Ok(text),
        "http" | "git" => refuse(&format!(
            "\"{text}\" is fetched without encryption, so anyone on the network path could run any program as root"
        )),
        _ => not_one(),
    }
}

/// Whether neither user nor host can be mistaken for an option (CVE-2017-1000117).
fn is_peer((user, host): (&str, &str)) -> bool {
    let is_word = |word: &str| !word.is_empty() && !word.starts_with('-') && !word.contains('@');
    is_word(user) && is_word(host)
}
