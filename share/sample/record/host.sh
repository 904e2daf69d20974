#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# host.sh - one host of the sample province, started by ./record in its own network, mount and UTS namespace.
# Arguments: FQDN KIND DIR (the exchange folder shared with ./record, KIND one of web, apache, db, gate).
# /etc, /home, /root, /run, /tmp, /var/log and /dev are private copies: nothing outside changes.
set -eu
fqdn=$1 kind=$2 dir=$3
hostname "$fqdn"
mount --make-rprivate /
mkdir -p "$dir/private"
mount -t tmpfs none "$dir/private"
cp -a /etc "$dir/private/etc"
mkdir -p "$dir/private/dev"/{pts,shm}
cp -a /dev/{null,zero,full,random,urandom,tty} "$dir/private/dev/"
chmod 666 "$dir/private/dev"/{null,zero,full,random,urandom,tty}
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 none "$dir/private/dev/pts"
chmod 1777 "$dir/private/dev/shm"
ln -s pts/ptmx "$dir/private/dev/ptmx"
ln -s /proc/self/fd "$dir/private/dev/fd"
ln -sfn /proc/self/fd/0 "$dir/private/dev/stdin"
ln -sfn /proc/self/fd/1 "$dir/private/dev/stdout"
ln -sfn /proc/self/fd/2 "$dir/private/dev/stderr"
mkdir -p /mnt && mount --rbind "$dir" /mnt
mount --bind /mnt/private/etc /etc
for place in /home /root /run /var/log /var/mail /var/spool/cron /srv; do
	mkdir -p "$place" && mount -t tmpfs -o mode=755 none "$place"
done
mount --rbind /mnt/private/dev /dev
mount -t tmpfs -o mode=1777 none /tmp
cd /
exec </dev/null

mkdir -p /run/sshd /run/lock /var/spool/cron/crontabs /var/log/nginx /srv/www /run/apache2
rm -f /etc/localtime && ln -s /usr/share/zoneinfo/Etc/UTC /etc/localtime
echo "$fqdn" > /etc/hostname
printf '127.0.0.1 localhost\n%s %s %s\n' "$(cat /mnt/address)" "$fqdn" "${fqdn%%.*}" > /etc/hosts
: > /etc/resolv.conf
sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf
# The guessing must not take minutes: the wait after a wrong password is left out, the lines are the same.
sed -i 's/pam_unix.so nullok/pam_unix.so nullok nodelay/' /etc/pam.d/common-auth
printf '%%sudo ALL=(ALL:ALL) ALL\nsaoluu ALL=(root) NOPASSWD: /usr/bin/tar\nDefaults !fqdn\nDefaults secure_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n' > /etc/sudoers
rm -rf /etc/sudoers.d/*

# Four people of the host, ids from 20001 so that audit rules can name them.
id=20001
for user in quantri vanhanh saoluu ketoan; do
	groupadd -g $id $user
	useradd -m -u $id -g $id -s /bin/bash -K MAIL_DIR=/var/mail $user
	id=$((id + 1))
done
usermod -aG sudo quantri
usermod -aG sudo vanhanh
printf 'quantri:Mau-2026\nvanhanh:Mau-2026\nsaoluu:Mau-2026\nketoan:Mau-2026\nroot:Mau-goc-2026\n' | chpasswd
touch /var/log/lastlog /var/log/wtmp /var/log/btmp /run/utmp
echo 'Set disable_coredump false' > /etc/sudo.conf

cat > /etc/rsyslog.conf <<'CONF'
global(preserveFQDN="on" workDirectory="/run")
module(load="imuxsock")
module(load="builtin:omfile" template="RSYSLOG_TraditionalFileFormat")
auth,authpriv.*		/var/log/auth.log
cron.*			/var/log/cron.log
local7.*		/var/log/web.log
*.*			action(type="omfile" file="/var/log/all-5424.log" template="RSYSLOG_SyslogProtocol23Format")
CONF
rsyslogd -f /etc/rsyslog.conf -i /run/rsyslogd.pid

mkdir -p /etc/ssh && rm -f /etc/ssh/ssh_host_* && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
cat > /etc/ssh/sshd_config <<'CONF'
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM yes
UseDNS no
PrintMotd no
MaxStartups 100
MaxAuthTries 4
SyslogFacility AUTHPRIV
CONF
/usr/sbin/sshd

mkdir -p /srv/www/{css,tin-tuc,uploads}
head -c 5000 /dev/zero | tr '\0' 'x' > /srv/www/index.html
for page in lien-he gioi-thieu lich-kham; do echo "<h1>$page</h1>" > /srv/www/$page.html; done
for n in $(seq 1 40); do echo "<p>tin $n</p>" > /srv/www/tin-tuc/$n.html; done
echo 'body{}' > /srv/www/css/site.css
head -c 300 /dev/zero > /srv/www/favicon.ico

start_nginx() {
	cat > /etc/nginx/record.conf <<CONF
user www-data; worker_processes 1; pid /run/nginx.pid; error_log /var/log/nginx/error.log warn;
events { worker_connections 256; }
http {
  types { text/html html; text/css css; }
  default_type application/octet-stream;
  access_log /var/log/nginx/access.log combined;
  $1
  server {
    listen 80 default_server; root /srv/www; index index.html;
    location /tra-cuu { return 200 "ok\n"; }
    location /api/ { return 200 "{}\n"; }
    location = /uploads/anh.php { return 200 "uid=33(www-data) gid=33(www-data)\n"; }
    location /admin { return 403; }
  }
}
CONF
	nginx -c /etc/nginx/record.conf
}
start_apache() {
	cat > /etc/apache2/record.conf <<'CONF'
ServerRoot /etc/apache2
ServerName portal01.tpmau.tinhmau.example.vn
Listen 80
PidFile /run/apache2/apache2.pid
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
User www-data
Group www-data
DocumentRoot /srv/www
TypesConfig /etc/mime.types
<Directory /srv/www>
  Require all granted
</Directory>
Redirect /cu /index.html
LogFormat "%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"" combined
CustomLog /var/log/apache-access.log combined
ErrorLog /var/log/apache-error.log
CONF
	touch /etc/mime.types
	mkdir -p /srv/www/tra-cuu /srv/www/api && echo ok > /srv/www/tra-cuu/index.html && echo ok > /srv/www/uploads/anh.php
	echo '{}' > /srv/www/api/ho-so
	apache2 -f /etc/apache2/record.conf
}
printf '* * * * * root true\n' > /etc/crontab
rm -rf /etc/cron.d/*
printf '* * * * * /bin/true\n' > /tmp/tab && crontab -u saoluu /tmp/tab && rm /tmp/tab
cron
case $kind in
web) start_nginx '' ;;
lms) start_nginx 'access_log syslog:server=unix:/dev/log,facility=local7,tag=nginx,nohostname combined;' ;;
apache) start_apache ;;
esac
touch /mnt/ready
while [ ! -e /mnt/stop ]; do
	if [ -e /mnt/do ]; then
		mv /mnt/do /mnt/doing
		bash /mnt/doing > /mnt/did.out 2>&1 || true
		mv /mnt/doing /mnt/did
	fi
	sleep 0.2
done
for pid in /run/nginx.pid /run/apache2/apache2.pid /run/crond.pid /run/sshd.pid /run/rsyslogd.pid; do
	[ -e "$pid" ] && kill "$(cat "$pid")" || true
done
sleep 1
mkdir -p /mnt/out && cp -r /var/log/. /mnt/out/
touch /mnt/stopped
