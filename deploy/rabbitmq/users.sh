#!/bin/sh
# Makes RabbitMQ users with the least rights that the orchestrator and its workers need. Run it again to change a password.
#
#   users.sh orchestrator USER          the orchestrator
#   users.sh worker USER QUEUE...       a service that works on these worker queues
#   users.sh subscriber USER NAME       a service that subscribes to lifecycle events (steps.Subscribe) under a name
#
# The password is read from standard input. PREFIX (saga), VHOST (/) and RABBITMQCTL (rabbitmqctl) are variables.
set -eu

prefix=${PREFIX:-saga} vhost=${VHOST:-/} ctl=${RABBITMQCTL:-rabbitmqctl}

usage() {
	sed -n '4,8s/^# *//p' "$0" >&2
	exit 2
}

# Names go into regular expressions.
escaped() { printf '%s' "$1" | sed 's/[.[\*^$+?(){}|\\]/\\&/g'; }

[ $# -ge 2 ] || usage
kind=$1 user=$2
shift 2
p=$(escaped "$prefix")
case $kind in
orchestrator)
	[ $# -eq 0 ] || usage
	configure="^$p\\..*" write="^($p\\..*|amq\\.default)\$" read="^$p\\..*"
	;;
worker)
	[ $# -ge 1 ] || usage
	names=
	for queue in "$@"; do
		names="$names${names:+|}$(escaped "$queue")"
	done
	configure='^$' write='^amq\.default$' read="^$p\\.commands\\.($names)\$"
	;;
subscriber)
	[ $# -eq 1 ] || usage
	own="$p\\.events\\.$(escaped "$1")"
	configure="^$own\$" write="^$own\$" read="^($p\\.events|$own)\$"
	;;
*) usage ;;
esac

IFS= read -r password || [ -n "${password:-}" ] || { echo "users.sh: no password on standard input" >&2; exit 2; }
if ! printf '%s\n' "$password" | $ctl -q add_user "$user" >/dev/null 2>&1; then
	printf '%s\n' "$password" | $ctl -q change_password "$user" >/dev/null
fi
$ctl -q set_permissions -p "$vhost" "$user" "$configure" "$write" "$read"
echo "$kind $user: configure $configure, write $write, read $read"
