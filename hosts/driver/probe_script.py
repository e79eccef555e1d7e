"""The script that a host runs to say what libvirt cannot tell: read only, POSIX sh, each question with its own limit.

Arguments: mark, "host" or "-" (whether the host is to speak of itself), peer address for libvirt, peer name to
resolve, number of knocks, three words for each knock (key, host, port), paths of files. Every answer is one line:
mark, key, exit code, text, separated by tabs; the mark keeps anything else a host prints apart.
"""

from __future__ import annotations

from typing import Final

# What the remote shell runs first: the script is sent when the mark has come back, so that the way there and back is
# known without the seconds that a login takes.
GREETING: Final = 'printf "%s\\tready\\n" "$1"; exec sh -s -- "$@"'
READY: Final = "\tready\n"

SCRIPT: Final = r"""
LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"; export LC_ALL PATH
say() { printf '%s\t%s\t%s\t%s\n' "$mark" "$1" "$2" "$3"; }
flat() { printf '%s' "$1" | tr '\t\r\n' '   ' | cut -c1-600; }

synchronised() {
  if out=$(timeout 2 chronyc -n tracking 2>/dev/null); then
    say leap 0 "$(flat "$(printf '%s' "$out" | grep -i '^leap')")"
  elif out=$(timeout 2 ntpq -c 'rv 0 leap' 2>/dev/null) && [ -n "$out" ]; then
    say leap 0 "$(flat "$out")"
  elif out=$(timeout 3 timedatectl 2>/dev/null); then
    say synchronised 0 "$(flat "$(printf '%s' "$out" | grep -i 'synchronized:')")"
  fi
}
incoming() {
  awk '/hook input/ { inside = 1; if (/policy drop/) print "policy drop"; next }
    /[}][[:space:]]*$/ && !/[{]/ { inside = 0 }
    inside && NF { print }'
}
firewall() {
  if [ "$(timeout 2 systemctl is-active firewalld 2>/dev/null)" = active ]; then say firewall 0 firewalld; return; fi
  if grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then say firewall 0 ufw; return; fi
  if command -v nft >/dev/null 2>&1; then
    rules=$(timeout 3 nft list ruleset 2>/dev/null) || return
    rules=$(printf '%s\n' "$rules" | incoming)
    printf '%s\n' "$rules" | grep 'dport.*reject with tcp reset' | head -n 40 |
      while read -r line; do say reset 0 "$(flat "$line")"; done
    if [ -n "$rules" ]; then say firewall 0 nftables; return; fi
  elif command -v iptables >/dev/null 2>&1; then
    rules=$(timeout 3 iptables -S INPUT 2>/dev/null) || return
    case $rules in *'-A INPUT'* | *'-P INPUT DROP'*) say firewall 0 iptables; return ;; esac
  fi
  say firewall 0 none
}
users() {
  wanted='s/^[[:space:]]*user[[:space:]]*=[[:space:]]*"\{0,1\}\(+\{0,1\}[A-Za-z0-9_.-]*\).*/\1/p'
  user=$(sed -n "$wanted" /etc/libvirt/qemu.conf 2>/dev/null | tail -n 1)
  case $user in
    +*) say uid 0 "${user#+}" ;;
    *) for name in $user libvirt-qemu qemu; do
         if uid=$(id -u "$name" 2>/dev/null); then say uid 0 "$uid"; break; fi
       done ;;
  esac
  for line in $(getent group kvm qemu libvirt-qemu libvirt | cut -d : -f 1,3); do say group 0 "$line"; done
}
kernel() {
  for name in kvm_intel kvm_amd; do
    file=/sys/module/$name/parameters/nested
    if [ -r "$file" ]; then read -r value <"$file"; say nested 0 "$value"; fi
  done
  file=/proc/sys/vm/unprivileged_userfaultfd
  if [ -r "$file" ]; then read -r value <"$file"; say userfaultfd 0 "$value"; fi
  say microcode 0 "$(awk -F ': ' '/^microcode/ { print $2; exit }' /proc/cpuinfo)"
}
links() {
  for path in /sys/class/net/*; do
    name=${path##*/}
    case $name in lo | vnet[0-9]*) ;; *) [ -d "$path" ] && say link 0 "$name" ;; esac
  done
  timeout 2 ip -o addr show 2>/dev/null | while read -r _ link family address rest; do
    case $family:$rest in inet:*'scope global'* | inet6:*'scope global'*) say address 0 "${link%@*} $address" ;; esac
  done
}
itself() {
  synchronised & firewall & users & kernel & links &
  if [ -r /etc/os-release ]; then ( . /etc/os-release; say os 0 "$ID $ID_LIKE"; say system 0 "$PRETTY_NAME" ); fi
  directory=/var/lib/libvirt/images
  if type=$(timeout 3 stat -f -c %T "$directory" 2>/dev/null); then say images 0 "$directory $type"; fi
  wait
}
name() {
  out=$(timeout 4 getent ahosts "$peer" 2>&1); code=$?
  say name "$code" "$(printf '%s' "$out" | head -n 1 | cut -d ' ' -f 1)"
}
login() {
  as=; [ "$(id -u)" = 0 ] || as='sudo -n'
  out=$(timeout 5 $as virsh -c "$address" uri 2>&1); code=$?
  say login "$code" "$(flat "$out")"
}
knock() {
  if command -v bash >/dev/null 2>&1; then
    out=$(timeout 4 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" 2>&1); code=$?
  elif command -v nc >/dev/null 2>&1; then
    out=$(timeout 4 nc -z -v -w 3 "$2" "$3" 2>&1); code=$?
  else
    out='neither bash nor nc on the host'; code=127
  fi
  say "$1" "$code" "$(flat "$out")"
}
files() {
  timeout 4 stat -L -c '%i %s %Y %n' -- "$@" 2>/dev/null | while IFS= read -r line; do say file 0 "$line"; done
  timeout 4 stat -f -c '%T %n' -- "$@" 2>/dev/null | while IFS= read -r line; do say kind 0 "$line"; done
}
main() {
  mark=$1 about=$2 address=$3 peer=$4 knocks=$5; shift 5
  [ "$about" = host ] && { say clock 0 "$(date +%s%N)"; itself & }
  [ -n "$peer" ] && name &
  [ -n "$address" ] && login &
  while [ "$knocks" -gt 0 ]; do knock "$1" "$2" "$3" & shift 3; knocks=$((knocks - 1)); done
  [ $# -gt 0 ] && files "$@" &
  wait
  say end 0 ''
}
main "$@" </dev/null
"""
