/* SPDX-License-Identifier: Apache-2.0 */
#include "role/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/message.h"

/* gcc says it by a macro, clang by a feature */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KH_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define KH_ASAN 1
#endif
#ifndef KH_ASAN
#define KH_ASAN 0
#endif

/* ---- the table ---- */

enum { READ_ONLY = 1, READ_WRITE = 2 };

enum calls {
	CALLS_BASE = 1,
	CALLS_FILES = 2,
	CALLS_WRITE_FILES = 4,
	CALLS_SERVE = 8,
	CALLS_CONNECT = 16,
	CALLS_THREADS = 32
};

struct sandbox_row {
	unsigned calls;          /* groups of system calls */
	uint8_t place[N_PLACES]; /* 0, READ_ONLY or READ_WRITE */
	rlim_t files, memory;    /* descriptors, bytes of address space (0: no limit) */
	rlim_t cpu_s;            /* seconds of processor time in all, 0: no limit */
};

static const struct sandbox_row sandbox_rows[N_ROLES] = {
	[ROLE_SENSOR] = {CALLS_BASE | CALLS_FILES | CALLS_SERVE, {[PLACE_RULES] = READ_ONLY}, 4096, 0, 0},
	[ROLE_DESK] = {CALLS_BASE | CALLS_FILES | CALLS_WRITE_FILES | CALLS_SERVE,
				   {[PLACE_STORE] = READ_WRITE},
				   1024,
				   0,
				   0},
	[ROLE_WEB] = {CALLS_BASE | CALLS_SERVE, {0}, 65536, 0, 0},
	[ROLE_COURIER] = {CALLS_BASE | CALLS_FILES | CALLS_CONNECT | CALLS_THREADS,
					  {[PLACE_RESOLVER] = READ_ONLY, [PLACE_CERTIFICATES] = READ_ONLY},
					  512,
					  0,
					  0},
	[ROLE_WORKER] = {CALLS_BASE, {0}, 64, (rlim_t)1 << 30, 120},
};

/* clang-format off */
static const int base_calls[] = {
	SCMP_SYS(brk), SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(close),
	SCMP_SYS(dup), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(futex),
	SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(getrusage), SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(ioctl),
	SCMP_SYS(lseek), SCMP_SYS(madvise), SCMP_SYS(memfd_create), SCMP_SYS(mremap), SCMP_SYS(munmap), SCMP_SYS(nanosleep),
	SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(readv),
	SCMP_SYS(recvmsg), SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(sendmsg),
	SCMP_SYS(set_robust_list), SCMP_SYS(sigaltstack), SCMP_SYS(sysinfo), SCMP_SYS(tgkill), SCMP_SYS(time),
	SCMP_SYS(uname), SCMP_SYS(write), SCMP_SYS(writev), 0xffff};
static const int file_calls[] = {
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(getcwd), SCMP_SYS(getdents64),
	SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(statx), 0xffff};
static const int write_file_calls[] = {
	SCMP_SYS(fallocate), SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(fdatasync), SCMP_SYS(fsync),
	SCMP_SYS(ftruncate), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(umask), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(utimensat),
	0xffff};
static const int serve_calls[] = {
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(sendfile), SCMP_SYS(sendmmsg), SCMP_SYS(sendto),
	SCMP_SYS(setsockopt), SCMP_SYS(shutdown), 0xffff};
static const int connect_calls[] = {
	SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown), SCMP_SYS(socketpair), 0xffff};

static const struct {
	enum calls group;
	const int *calls;
} call_groups[] = {
	{CALLS_BASE, base_calls}, {CALLS_FILES, file_calls}, {CALLS_WRITE_FILES, write_file_calls},
	{CALLS_SERVE, serve_calls}, {CALLS_CONNECT, connect_calls},
};
/* clang-format on */

/* ---- steps: each leaves one wall standing ---- */

static enum kh_err failed(struct kh_diag *diag, enum role role, const char *step)
{
	return kh_say_errno(diag, M_SANDBOX_STEP, role_names[role], step, NULL);
}

static bool become(const struct sandbox_identity *who, bool *changed)
{
	if (!who->change) return true;
	gid_t groups[1] = {who->gid};
	if (setgroups(1, groups) != 0 || setresgid(who->gid, who->gid, who->gid) != 0) return false;
	if (setresuid(who->uid, who->uid, who->uid) != 0) return false;
	*changed = true;
	return true;
}

static bool limit(int resource, rlim_t most)
{
	struct rlimit r;
	if (getrlimit((__rlimit_resource_t)resource, &r) != 0) return false;
	if (r.rlim_max != RLIM_INFINITY && most > r.rlim_max) most = r.rlim_max;
	r = (struct rlimit){most, most};
	return setrlimit((__rlimit_resource_t)resource, &r) == 0;
}

static bool set_limits(const struct sandbox_row *row)
{
	bool ok = limit(RLIMIT_NOFILE, row->files) && limit(RLIMIT_CORE, 0);
#if !KH_ASAN /* AddressSanitizer reserves terabytes of address space */
	if (row->memory > 0) ok = ok && limit(RLIMIT_AS, row->memory);
#endif
	if (row->cpu_s > 0) ok = ok && limit(RLIMIT_CPU, row->cpu_s);
	return ok;
}

/* linux/landlock.h of Debian 12 ends at ABI 2; these are from the kernel's documentation of ABI 3-6. */
enum { ABI_TRUNCATE = 3, ABI_NET = 4, ABI_IOCTL = 5, ABI_SCOPE = 6 };
#define FS_ABI_1    ((UINT64_C(1) << 13) - 1)
#define FS_REFER    (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL    (UINT64_C(1) << 15)
#define NET_BIND    (UINT64_C(1) << 0)
#define NET_CONNECT (UINT64_C(1) << 1)
#define SCOPE_ALL   (UINT64_C(3)) /* abstract UNIX sockets, signals */

struct ruleset_attr {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

static uint64_t handled_fs(int abi)
{
	return FS_ABI_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= ABI_TRUNCATE ? FS_TRUNCATE : 0) |
		   (abi >= ABI_IOCTL ? FS_IOCTL : 0);
}

static bool allow_path(int ruleset, const char *path, unsigned how, int abi)
{
	const uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	const uint64_t write_rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
								  LANDLOCK_ACCESS_FS_MAKE_REG | (abi >= ABI_TRUNCATE ? FS_TRUNCATE : 0);
	const uint64_t file_only = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0) return errno == ENOENT || errno == EACCES; /* what is not there for us needs no rule */
	uint64_t rights = how == READ_WRITE ? read_rights | write_rights : read_rights;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) rights &= file_only;
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
	bool ok = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	close(fd);
	return ok;
}

static bool wall_off_files(const struct sandbox_row *row, const struct sandbox_places *places, int *abi_out)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1) return errno == ENOSYS || errno == EOPNOTSUPP;
	struct ruleset_attr attr = {.handled_access_fs = handled_fs((int)abi)};
	if (abi >= ABI_NET)
		attr.handled_access_net = NET_BIND | ((row->calls & CALLS_CONNECT) != 0 ? 0 : NET_CONNECT);
	if (abi >= ABI_SCOPE) attr.scoped = SCOPE_ALL;
	size_t size = abi >= ABI_SCOPE ? sizeof attr : abi >= ABI_NET ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0) return false;
	bool ok = true;
	for (int p = 0; p < N_PLACES; p++) {
		const char *const *path = places->paths[p];
		for (; row->place[p] != 0 && path != NULL && *path != NULL; path++)
			ok = ok && allow_path(ruleset, *path, row->place[p], (int)abi);
	}
	ok = ok && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	close(ruleset);
	*abi_out = (int)abi;
	return ok;
}

static int allow_with_conditions(scmp_filter_ctx ctx, unsigned calls)
{
	const uint64_t thread_flags = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
	/* W^X: no page becomes executable any more */
	int rc =
		seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
						   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* fstat() of a descriptor: glibc 2.33 and later ask newfstatat with an empty path */
	rc |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
						   SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	/* limits may be read, not set: the third argument is the new value */
	rc |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
	rc |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
	if ((calls & CALLS_THREADS) !=
		0) { /* a thread, never a process; clone3 hides its flags: the C library falls back */
		rc |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
							   SCMP_A0(SCMP_CMP_MASKED_EQ, thread_flags, thread_flags));
		rc |= seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	}
	if ((calls & CALLS_CONNECT) != 0) {
		/* no AF_UNIX: the desk's control socket asks no token of who may open it */
		static const uint64_t families[] = {AF_INET, AF_INET6, AF_NETLINK};
		for (size_t i = 0; i < sizeof families / sizeof *families; i++)
			rc |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
								   SCMP_A0(SCMP_CMP_EQ, families[i], 0));
	}
	return rc;
}

static bool wall_off_calls(unsigned calls)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (ctx == NULL) return false;
	int rc = allow_with_conditions(ctx, calls);
	for (size_t g = 0; g < sizeof call_groups / sizeof *call_groups; g++) {
		if ((calls & call_groups[g].group) == 0) continue;
		for (const int *call = call_groups[g].calls; *call != 0xffff; call++)
			if (*call >= 0)
				rc |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, *call,
									   0); /* negative: not on this machine's list */
	}
	if (rc == 0) rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc != 0) errno = EINVAL;
	return rc == 0;
}

enum kh_err sandbox_enter(enum role role, const struct sandbox_places *places,
						  const struct sandbox_identity *who, struct sandbox_report *report,
						  struct kh_diag *diag)
{
	const struct sandbox_row *row = &sandbox_rows[role];
	struct sandbox_report r = {0};
	if (!set_limits(row)) return failed(diag, role, "setrlimit");
	if (!become(who, &r.user_changed)) return failed(diag, role, "setresuid");
	if (prctl(PR_SET_DUMPABLE, 0) != 0) return failed(diag, role, "PR_SET_DUMPABLE");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed(diag, role, "no_new_privs");
	if (!wall_off_files(row, places, &r.landlock_abi)) return failed(diag, role, "landlock");
	if (!wall_off_calls(row->calls)) return failed(diag, role, "seccomp");
	*report = r;
	return KH_OK;
}

/* ---- the probe: every row tries one thing that an attacker inside the role would try ---- */

struct target {
	const char *store;
	int port;
};

static int result(long rc)
{
	return rc < 0 ? errno : 0;
}

static int try_open_outside(const struct target *t)
{
	(void)t;
	return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int try_list_root(const struct target *t)
{
	(void)t;
	return result(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int try_write_outside(const struct target *t)
{
	(void)t;
	return result(open("/tmp/khien-probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int try_read_store(const struct target *t)
{
	return result(open(t->store, O_RDONLY | O_CLOEXEC));
}

static int inet_call(int port, bool listening)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return errno;
	if (listening) a.sin_port = 0;
	int rc =
		listening ? bind(fd, (struct sockaddr *)&a, sizeof a) : connect(fd, (struct sockaddr *)&a, sizeof a);
	return result(rc);
}

static int try_connect(const struct target *t)
{
	return inet_call(t->port, false);
}

static int try_bind(const struct target *t)
{
	return inet_call(t->port, true);
}

static int try_control_socket(const struct target *t)
{
	(void)t;
	return result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int try_raw_socket(const struct target *t)
{
	(void)t;
	return result(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static int try_exec(const struct target *t)
{
	(void)t;
	char *argv[] = {(char[]){"true"}, NULL};
	return result(execve("/bin/true", argv, argv + 1)); /* comes back only when refused */
}

static int try_fork(const struct target *t)
{
	(void)t;
	pid_t pid = fork();
	if (pid == 0) _exit(0);
	if (pid > 0) waitpid(pid, NULL, 0);
	return result(pid);
}

static int try_ptrace(const struct target *t)
{
	(void)t;
	return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int try_signal(const struct target *t)
{
	(void)t;
	return result(kill(getppid(), 0));
}

static int try_read_memory(const struct target *t)
{
	(void)t;
	char byte;
	struct iovec local = {&byte, 1}, remote = {&byte, 1};
	return result(process_vm_readv(getppid(), &local, 1, &remote, 1, 0));
}

static int try_executable_memory(const struct target *t)
{
	(void)t;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? errno : 0;
}

static int try_become_root(const struct target *t)
{
	(void)t;
	return result(setresuid(0, 0, 0));
}

static int try_new_namespace(const struct target *t)
{
	(void)t;
	return result(unshare(CLONE_NEWUSER));
}

#define ROLE_BIT(r) (1u << (r))

static const struct {
	const char *name;
	int (*attempt)(const struct target *t);
	unsigned intended; /* roles that may, by their row above */
} probes[] = {
	{"open a file outside", try_open_outside, 0},
	{"list the root folder", try_list_root, 0},
	{"write a file outside", try_write_outside, 0},
	{"read the store", try_read_store, ROLE_BIT(ROLE_DESK)},
	{"connect to a TCP port", try_connect, ROLE_BIT(ROLE_COURIER)},
	{"bind a TCP port", try_bind, 0},
	{"reach the control socket", try_control_socket, 0},
	{"open a raw socket", try_raw_socket, 0},
	{"trace another process", try_ptrace, 0},
	{"read another process's memory", try_read_memory, 0},
	{"signal another process", try_signal, 0},
	{"map executable memory", try_executable_memory, 0},
	{"become root", try_become_root, 0},
	{"enter a new namespace", try_new_namespace, 0},
	{"start a process", try_fork, 0},
	{"execute a program", try_exec, 0},
};

size_t sandbox_probe(enum role role, const char *store, int port, struct sandbox_probe *out)
{
	const struct target t = {store, port};
	size_t n = sizeof probes / sizeof *probes;
	for (size_t i = 0; i < n; i++) {
		int err = probes[i].attempt(&t);
		out[i] =
			(struct sandbox_probe){probes[i].name, err == 0, (probes[i].intended & ROLE_BIT(role)) != 0, err};
	}
	return n;
}
