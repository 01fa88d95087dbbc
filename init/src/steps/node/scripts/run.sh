#!/bin/sh
# Written by Dayfly at boot. Brings a Git repository up to date and runs its program.
# usage: run [--background] NAME
#   settings    /etc/dayfly/scripts/NAME.conf
#   tree        /var/lib/dayfly/scripts/NAME, its Git directory NAME.git, its commit NAME.commit
#   result      /run/dayfly/scripts/NAME.json
# The contents of /var at boot are not trusted, because earlier users of the disk may have written them. Nothing from it is
# executed, and Git never reads its configuration: the first run of a boot clones again and only compares the old tree.
set -u
folder=/etc/dayfly/scripts
if [ "$1" = --background ]; then
	setsid "$0" "$2" </dev/null >/dev/null 2>&1 &
	exit 0
fi
name=$1
case $name in
'' | -* | *[!A-Za-z0-9_-]*)
	echo "usage: run [--background] NAME" >&2
	exit 2
	;;
esac
kept=/var/lib/dayfly/scripts
tree=$kept/$name
git=$kept/$name.git
record=$kept/$name.commit
here=/run/dayfly/scripts
result=$here/$name.json
url='' branch='' program=run.sh
# shellcheck source=/dev/null
. "$folder/$name.conf"
umask 022
mkdir -p "$here"

commit=''
# end OUTCOME WORDS STATUS: writes the result and exits. The JSON gets only ASCII characters, and the end of a long text.
end() {
	words=$(printf '%s' "$2" | tail -c 1000 | LC_ALL=C tr -c '\040\041\043-\133\135-\176' ' ')
	printf '{"name":"%s","outcome":"%s","commit":"%s","words":"%s","at":%s}\n' \
		"$name" "$1" "$commit" "$words" "$(date +%s)" >"$result.new"
	mv "$result.new" "$result"
	echo "$name: $1: $words"
	logger -t dayfly-git "$name: $1: $words" 2>/dev/null
	exit "$3"
}

# Two runs at the same time would damage each other's tree. The kernel releases this lock when the process ends. Children
# do not inherit it, because each is started with 9>&-.
command -v flock >/dev/null || end broken "the image has no flock(1), which is in util-linux and busybox" 1
exec 9>"$here/$name.lock"
if ! flock -n 9; then
	echo "$name: another run is in progress"
	exit 0
fi

# Neither the environment nor a home directory can configure Git, and only two transports are allowed. /etc is trusted.
for variable in $(env | sed -n 's/^\(GIT_[A-Za-z0-9_]*\)=.*/\1/p'); do
	unset "$variable"
done
unset SSH_ASKPASS XDG_CONFIG_HOME
ssh_config=/dev/null
if [ -e /etc/ssh/ssh_config ]; then ssh_config=/etc/ssh/ssh_config; fi
ssh="ssh -F $ssh_config -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20 -o IdentitiesOnly=yes \
-o ControlMaster=no -o ControlPath=none -o UserKnownHostsFile=$folder/$name.known_hosts"
if [ -e "/run/dayfly/secrets/script-$name" ]; then ssh="$ssh -i /run/dayfly/secrets/script-$name"; fi
# repo ARGUMENT…: runs Git with our own Git directory and a time limit.
repo() {
	HOME=$here GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND=$ssh GIT_ALLOW_PROTOCOL=https:ssh \
		timeout 300 git -c core.fsmonitor=false -c core.hooksPath=/dev/null -c submodule.recurse=false \
		-c gc.auto=0 -c maintenance.auto=false --git-dir="$git" "$@" 9>&-
}
# attempt ARGUMENT…: the same, and stores the end of the output in $said.
attempt() {
	said=$({ repo "$@" 2>&1; echo "ended with $?"; } | tail -c 700)
	status=${said##*ended with }
	said=${said%ended with *}
	[ "$status" = 0 ]
}
# Whether a text is a full commit hash.
is_commit() {
	case $1 in *[!0-9a-f]*) return 1 ;; esac
	[ ${#1} = 40 ] || [ ${#1} = 64 ]
}
# Makes a directory that belongs to root, and replaces anything else: no symlink leads out of it, and only root can change it.
own() {
	if [ -L "$1" ] || [ ! -d "$1" ]; then rm -rf "$1"; fi
	mkdir -p "$1" && chown 0:0 "$1" && chmod go-w "$1"
}
# Whether the tree $1 is the same as the commit in our own index. Submodules are not entered.
is_clean() {
	repo --work-tree="$1" update-index -q --refresh --ignore-submodules >/dev/null 2>&1
	repo --work-tree="$1" diff-files --quiet --ignore-submodules=all >/dev/null 2>&1 &&
		[ -z "$(cd "$1" && repo --work-tree="$1" ls-files --others --exclude-standard --directory 2>&1 | head -c 1)" ]
}

changed="$tree has uncommitted changes: commit them elsewhere, or remove the tree"
ways="$url and $tree have diverged: remove the tree, or correct the repository's history"
before=none
if [ ! -e "$here/$name.cloned" ]; then
	{ own /var/lib/dayfly && own "$kept"; } || end broken "cannot make $kept" 1
	rm -rf "$git" "$tree.new"
	if ! attempt clone --quiet --no-checkout --template= --no-recurse-submodules --separate-git-dir="$git" \
		${branch:+--branch "$branch"} -- "$url" "$tree.new"; then
		end unreachable "clone $url: $said" 1
	fi
	if [ -e "$tree" ] || [ -L "$tree" ]; then
		if [ -f "$record" ] && [ ! -L "$record" ]; then commit=$(head -c 64 "$record" | tr -cd '0-9a-f'); fi
		if [ -L "$tree" ] || [ ! -d "$tree" ] || ! is_commit "$commit"; then
			commit=''
			end broken "$tree was not created by Dayfly: remove it" 1
		fi
		repo merge-base --is-ancestor "$commit" HEAD >/dev/null 2>&1 || end diverged "$ways" 3
		attempt read-tree "$commit" || end broken "$said" 1
		is_clean "$tree" || end diverged "$changed" 3
	fi
	attempt -C "$tree.new" --work-tree="$tree.new" checkout --quiet --force || end broken "$said" 1
	commit=$(repo rev-parse HEAD)
	is_commit "$commit" || end broken "$url has no commit" 1
	rm -rf "$record"
	echo "$commit" >"$record"
	rm -rf "$tree"
	mv "$tree.new" "$tree" || end broken "cannot make $tree" 1
	: >"$here/$name.cloned"
else
	before=$(repo rev-parse HEAD) || end broken "$git is not a Git directory any more: remove it" 1
	commit=$before
	[ -d "$tree" ] || end broken "$tree is missing; it is created again at the next boot" 1
	is_clean "$tree" || end diverged "$changed" 3
	attempt fetch --quiet --no-recurse-submodules origin ${branch:+"$branch"} || end unreachable "fetch $url: $said" 1
	repo merge-base --is-ancestor HEAD FETCH_HEAD >/dev/null 2>&1 || end diverged "$ways" 3
	attempt -C "$tree" --work-tree="$tree" merge --quiet --ff-only FETCH_HEAD || end diverged "$said" 3
	commit=$(repo rev-parse HEAD)
	echo "$commit" >"$record"
fi
cd "$tree" || end broken "cannot enter $tree" 1
# Run once per boot, then only if there is a new commit or the last run failed.
done=$here/$name.done
if [ "$before" = "$commit" ] && [ "$(cat "$done" 2>/dev/null)" = "$commit" ]; then
	end current "nothing new" 0
fi
[ -x "$program" ] || end missing "the repository has no executable $program" 1
rm -f "$done"
log=$here/$name.log
"./$program" >"$log" 2>&1 9>&-
status=$?
# /run is in memory, so limit the size of the log.
if [ "$(wc -c <"$log")" -gt 1048576 ]; then
	tail -c 1048576 "$log" >"$log.new"
	mv "$log.new" "$log"
fi
if [ "$status" = 0 ]; then
	echo "$commit" >"$done"
	end ran "$program has run" 0
fi
end failed "$program ended with $status: $(tail -c 800 "$log" | tr -d '\000' | tail -n 3)" 1
