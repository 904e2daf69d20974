#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# expect.sh - counts with grep alone what the rules must find in the sample logs; prints ../expected.tsv.
# Usage: expect.sh LOGS RULES [--lines] (--lines: file, rule, count, first and last line). Each row below: rule, files, what a line must hold, what it must not hold.
# The patterns are written from the log formats and not from the rules, so that a slip in one is seen in the other.
set -eu
logs=$(realpath "$1") rules=$(realpath "$2") show=${3:-}
export LC_ALL=C
cd "$logs"
row() { # RULE FILES HOLDS [HOLDS_NOT]
	local id file n
	id=$(sed -n 's/^id: //p' "$rules/$1.yml")
	for file in $2; do
		if [ "$show" = --lines ]; then
			grep -anP -- "$3" "$file" | grep -avP -- "${4:-^$}" | cut -d: -f1 |
				awk -v f="$file" -v r="$1" 'NR == 1 {a = $1} {z = $1} END {if (NR) print f "\t" r "\t" NR "\t" a "\t" z}'
			continue
		fi
		n=$(grep -aP -- "$3" "$file" | grep -acvP -- "${4:-^$}" || true)
		[ "$n" -gt 0 ] && printf '%s\t%s\t%s\n' "$file" "$id" "$n"
	done
	return 0
}
text='auth-*.log sshd-*.log sudo-*.log syslog5424-*.log cron-*.log'
web='nginx-access-*.log apache-access-*.log nginx-syslog-*.log'
ask='"[A-Z]+ [^" ]*\?[^" ]*' # the request up to and with its query
{
	row linux/sshd_unknown_user_guessing "$text" ' sshd(\[\d+\]:| \d+ - -) +Failed password for invalid user '
	row linux/sshd_root_password_failed "$text" ' sshd(\[\d+\]:| \d+ - -) +Failed password for root from '
	row linux/sshd_root_login_outside "$text" ' sshd(\[\d+\]:| \d+ - -) +Accepted password for root from ' 'from 192\.0\.2\.'
	row linux/sshd_too_many_failures "$text" ' sshd(\[\d+\]:| \d+ - -) .*(maximum authentication attempts exceeded for|Too many authentication failures)'
	row linux/sshd_bad_protocol "$text" ' sshd(\[\d+\]:| \d+ - -) +banner exchange: .* invalid format'
	row linux/sudo_wrong_password_thrice "$text" ' sudo(:| - - -) .* : 3 incorrect password attempts ;'
	row linux/sudo_not_allowed "$text" ' sudo(:| - - -) .* : (user NOT in sudoers|command not allowed) ;'
	row linux/sudo_root_shell "$text" ' sudo(:| - - -) .*COMMAND=(/usr)?/bin/(bash|sh|su)\b'
	row linux/su_failed "$text" ' su(\[\d+\]:| \d+ - -) +FAILED SU \(to '
	row linux/user_created "$text" ' useradd(\[\d+\]:| \d+ - -) +new user: name='
	row linux/user_created_uid0 "$text" ' useradd(\[\d+\]:| \d+ - -) +new user: name=[^,]*, UID=0,'
	row linux/user_added_to_sudo "$text" " usermod(\[\d+\]:| \d+ - -) +add '[^']*' to group '(sudo|wheel|root)'"
	row linux/auditd_exec_world_writable 'audit-*.log' 'type=SYSCALL .* exe="/(tmp|var/tmp|dev/shm)/'
	row linux/auditd_shadow_read 'audit-*.log' 'type=SYSCALL .* key="etc_shadow"' 'exe="/usr/s?bin/(sshd|sudo|su|login|cron|passwd|chpasswd|chage|unix_chkpwd|useradd|usermod|userdel)"'
	row linux/auditd_rules_removed 'audit-*.log' 'type=CONFIG_CHANGE .* op=remove_rule ' 'auid=4294967295'
	row linux/auditd_config_written 'audit-*.log' 'type=SYSCALL .* key="audit_config"'
	row linux/auditd_kernel_module 'audit-*.log' 'type=EXECVE .* a0="([^"]*/)?(insmod|modprobe)"'
	row web/webshell_command "$web" '"[A-Z]+ [^" ?]*\.php\?cmd=(id|whoami|cat|uname|wget)\b'
	row web/script_upload "$web" '"POST [^" ?]*/uploads/[^" ?]*\.php HTTP/1\.1" [235]'
	row web/sql_injection "$web" "$ask(?i)(union(%20all)?(%20|\+)select|%20and%20sleep\(|%27%20or%20%271%27=)"
	row web/path_traversal "$web" '"[A-Z]+ [^" ]*(\.\./\.\./|\.\.%2f\.\.%2f)'
	row web/jndi_lookup "$web" '(\$\{jndi:|\$\{\$\{|%24%7Bjndi:)'
	row web/command_injection "$web" "$ask(;|%7C|%3B|\\\$\(|%60)(id|cat|whoami)"
	row web/scanner_agent "$web" '"[^"]*(sqlmap/|Nikto)[^"]*"$'
	row windows/service_in_temp_folder 'windows-*.ndjson' '"EventID":7045,.*"ImagePath":"C:\\\\Windows\\\\Temp\\\\'
	row windows/powershell_encoded 'windows-*.ndjson' '"EventID":(1|4688),.*powershell[^"]* (-enc|[-/]EncodedCommand) '
	row windows/security_log_cleared 'windows-*.ndjson' '"EventID":1102,'
	row windows/account_to_administrators 'windows-*.ndjson' '"EventID":4732,.*"S-1-5-32-544"'
	row windows/lsass_memory_access 'windows-*.ndjson' '"EventID":10,.*lsass.exe' '"SourceImage":"C:\\\\Windows\\\\System32'
	row network/suricata_severity_1 'suricata-*.ndjson' '"event_type":"alert".*"severity":1[,}]'
	row network/dns_long_label_txt 'zeek-*.ndjson' '"query":"[^".]{40,}\.[^"]*".*"qtype_name":"TXT"'
} | sort
