# SPDX-License-Identifier: Apache-2.0
# play-ssh.sh - logins, sudo, su and new accounts on the other hosts. Sourced by ./record.
guess() { # HOST FROM COUNT: names that do not exist, one password each
	local to=$1 from=$2 n=$3 i names=(admin test oracle postgres ubuntu git ftpuser pi guest deploy jenkins minecraft hadoop www user1)
	for i in $(seq "$n"); do
		ssh_as outside "$from" "${names[$((i % ${#names[@]}))]}" "123456-$i" "$to" &
		[ $((i % 6)) -eq 0 ] && wait_ssh
	done
	wait_ssh
}
wait_ssh() { local p; for p in $(jobs -p); do case " ${jobs_pids[*]} " in *" $p "*) ;; *) wait "$p" || true ;; esac; done; }

play_ssh() {
	host_start web01 web01.yte.tinhmau.example.vn web 192.0.2.10
	host_start portal01 portal01.tpmau.tinhmau.example.vn apache 192.0.2.74
	host_start lms01 lms01.gddt.tinhmau.example.vn lms 192.0.2.138
	host_start gw01 gw01.anm.tinhmau.example.vn gate 192.0.2.200
	local n
	for n in $(seq 40); do
		ssh_as inside 192.0.2.201 vanhanh Mau-2026 192.0.2.200 uptime
		ssh_as inside 192.0.2.20 vanhanh Mau-2026 192.0.2.10 'df -h'
		[ $((n % 4)) -eq 0 ] && ssh_as inside 192.0.2.148 quantri Mau-2026 192.0.2.138 uptime
		[ $((n % 8)) -eq 0 ] && ssh_as inside 192.0.2.20 saoluu go-nham 192.0.2.10 true
		[ $((n % 3)) -eq 0 ] && on_tty 192.0.2.84 vanhanh Mau-2026 192.0.2.74 'echo Mau-2026 | sudo -S true; echo Mau-2026 | sudo -S id'
	done
	guess 192.0.2.10 203.0.113.7 150
	guess 192.0.2.200 203.0.113.23 90
	for n in $(seq 24); do ssh_as outside 203.0.113.66 root "sai-$n" 192.0.2.10; done
	# the guess that held: root from outside, on web01
	ssh_as outside 203.0.113.66 root Mau-goc-2026 192.0.2.10 'id; uname -a'
	ssh_as inside 192.0.2.201 root Mau-goc-2026 192.0.2.200 'uptime' # from inside: must stay quiet
	# one client that offers keys until sshd cuts it off, one that speaks another protocol
	local keys=()
	for n in 1 2 3 4 5 6; do ssh-keygen -q -t ed25519 -N '' -f "$W/key$n" && keys+=(-i "$W/key$n"); done
	for n in 1 2; do
		in_ns outside ssh -F none -b 203.0.113.88 "${keys[@]}" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR \
			-o UserKnownHostsFile=/dev/null -o PreferredAuthentications=publickey root@192.0.2.138 true > /dev/null 2>&1 < /dev/null || true
	done
	in_ns outside bash -c 'for i in 1 2 3; do printf "GET / HTTP/1.0\r\n\r\n" | nc -s 203.0.113.88 -w 1 192.0.2.138 22; done' > /dev/null 2>&1 || true
	# sudo: three wrong passwords, twice; not in sudoers; root shells; su
	for n in 1 2; do on_tty 192.0.2.84 vanhanh Mau-2026 192.0.2.74 'printf "a\nb\nc\n" | sudo -S cat /etc/shadow'; done
	for n in 1 2 3; do on_tty 192.0.2.84 ketoan Mau-2026 192.0.2.74 'echo Mau-2026 | sudo -S cat /etc/sudoers'; done
	on_tty 192.0.2.84 quantri Mau-2026 192.0.2.74 'echo Mau-2026 | sudo -S /bin/bash -c id'
	on_tty 192.0.2.84 quantri Mau-2026 192.0.2.74 'echo Mau-2026 | sudo -S -s id'
	on_tty 192.0.2.84 quantri Mau-2026 192.0.2.74 'echo Mau-2026 | sudo -S su - -c id'
	for n in 1 2 3 4; do on_tty 192.0.2.84 ketoan Mau-2026 192.0.2.74 '(sleep 0.5; echo sai) | su - -c id'; done
	host_do portal01 <<-'S'
		groupadd -g 20101 cong
		useradd -m -u 20102 -s /bin/bash hethong
		usermod -aG sudo hethong
		useradd -o -u 0 -g 0 -M -s /bin/bash sysupd
	S
	host_do lms01 <<-'S'
		useradd -m -u 20103 -s /bin/bash giaovien
		passwd -d giaovien
		userdel giaovien
	S
}
