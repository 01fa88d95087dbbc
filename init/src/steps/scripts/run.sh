#!/bin/sh
# Written by Dayfly at boot. Brings a Git repository up to date and runs its program.
# usage: run [--background] NAME
#   settings  /etc/dayfly/scripts/NAME.conf
#   tree      /var/lib/dayfly/scripts/NAME
#   result    /run/dayfly/scripts/NAME.json
set -u
folder=/etc/dayfly/scripts
if [ "$1" = --background ]; then
	setsid "$0" "$2" </dev/null >/dev/null 2>&1 &
	exit 0
fi
name=$1
tree=/var/lib/dayfly/scripts/$name
result=/run/dayfly/scripts/$name.json
url='' branch='' program=run.sh
# shellcheck source=/dev/null
. "$folder/$name.conf"
umask 022
mkdir -p "${tree%/*}" "${result%/*}"

# Two runs at once would tread on each other's tree. The lock is in /run: a reboot ends it.
lock=/run/dayfly/scripts/$name.lock
if ! mkdir "$lock" 2>/dev/null; then
	if kill -0 "$(cat "$lock/pid" 2>/dev/null || echo 0)" 2>/dev/null; then
		echo "$name: another run is under way"
		exit 0
	fi
fi
echo $$ >"$lock/pid"
trap 'rm -rf "$lock"' EXIT

commit=''
# end OUTCOME WORDS STATUS: says what came of it and ends.
end() {
	words=$(printf '%s' "$2" | tr '\n\t"\\' "  ''")
	printf '{"name":"%s","outcome":"%s","commit":"%s","words":"%s","at":%s}\n' \
		"$name" "$1" "$commit" "$words" "$(date +%s)" >"$result.new"
	mv "$result.new" "$result"
	echo "$name: $1: $words"
	logger -t dayfly-git "$name: $1: $words" 2>/dev/null
	exit "$3"
}

# Nobody is there to type a password or to say yes to a host key.
export GIT_TERMINAL_PROMPT=0
if [ -e "$folder/$name.known_hosts" ] || [ -e "/run/dayfly/secrets/script-$name" ]; then
	export GIT_SSH_COMMAND="ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20 -o IdentitiesOnly=yes \
-o UserKnownHostsFile=$folder/$name.known_hosts -i /run/dayfly/secrets/script-$name"
fi
# bounded COMMAND…: no server keeps us for ever.
bounded() { timeout 300 "$@" 2>&1; }

if [ ! -d "$tree/.git" ]; then
	rm -rf "$tree" "$tree.new"
	said=$(bounded git clone --quiet ${branch:+--branch "$branch"} -- "$url" "$tree.new") ||
		end unreachable "clone $url: $said" 1
	mv "$tree.new" "$tree"
	before=none
else
	cd "$tree" || end broken "cannot enter $tree" 1
	before=$(git rev-parse HEAD) || end broken "$tree is no Git tree any more: remove it" 1
	commit=$before
	[ -z "$(git status --porcelain)" ] || end diverged "$tree has changes that are in no commit: commit them elsewhere, or remove the tree" 3
	git remote set-url origin "$url"
	said=$(bounded git fetch --quiet origin ${branch:+"$branch"}) || end unreachable "fetch $url: $said" 1
	git merge-base --is-ancestor HEAD FETCH_HEAD ||
		end diverged "$url and $tree have gone different ways: remove the tree, or put the repository's history right" 3
	said=$(git merge --quiet --ff-only FETCH_HEAD 2>&1) || end diverged "$said" 3
fi
cd "$tree" || end broken "cannot enter $tree" 1
commit=$(git rev-parse HEAD)
# At each boot once, then only when there is something new or the last run failed.
done=/run/dayfly/scripts/$name.done
if [ "$before" = "$commit" ] && [ "$(cat "$done" 2>/dev/null)" = "$commit" ]; then
	end current "nothing new" 0
fi
[ -x "$program" ] || end missing "the repository has no executable $program" 1
rm -f "$done"
log=/run/dayfly/scripts/$name.log
if "./$program" >"$log" 2>&1; then
	echo "$commit" >"$done"
	end ran "$program has run" 0
else
	status=$?
	end failed "$program ended with $status: $(tail -n 3 "$log")" 1
fi
