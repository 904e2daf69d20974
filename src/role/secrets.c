/* SPDX-License-Identifier: Apache-2.0 */
#include "role/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "web/certificate.h"

enum { MAX_PASSWORD = 4096, PATH_LEN = 4096 };

static void wipe(char *text)
{
	if (text != NULL) sodium_memzero(text, strlen(text));
	free(text);
}

void secrets_free(struct secrets *s)
{
	wipe(s->certificate);
	wipe(s->key);
	wipe(s->mail_password);
	*s = (struct secrets){0};
}

static enum kh_err text_of(const char *path, size_t max, char **out, struct kh_diag *diag)
{
	struct kh_buf b;
	KH_TRY(settings_file(path, max, &b, diag));
	char *text = kh_slice_dup(kh_buf_slice(&b));
	if (b.bytes != NULL) sodium_memzero(b.bytes, b.cap);
	kh_buf_free(&b);
	if (text == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	*out = text;
	return KH_OK;
}

/* Written whole or not at all: a new file, synced, then renamed over. */
static enum kh_err write_file(const char *path, const struct kh_buf *b, struct kh_diag *diag)
{
	char fresh[PATH_LEN + 8];
	snprintf(fresh, sizeof fresh, "%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && write(fd, b->bytes, b->n) == (ssize_t)b->n && fsync(fd) == 0;
	if (fd >= 0) close(fd);
	return ok && rename(fresh, path) == 0 ? KH_OK : kh_say_errno(diag, M_FILE_WRITE, path, NULL);
}

static enum kh_err make_pair(const struct settings *s, const char *certificate, const char *key,
							 struct kh_diag *diag)
{
	struct kh_buf cert_pem = KH_BUF(CERTIFICATE_PEM_MAX), key_pem = KH_BUF(CERTIFICATE_PEM_MAX);
	enum kh_err err =
		certificate_make(s->web.names.at, s->web.names.n, kh_now_ns(), &cert_pem, &key_pem, diag);
	if (err == KH_OK)
		err = write_file(key, &key_pem, diag); /* the certificate last: it says that the pair is whole */
	if (err == KH_OK) err = write_file(certificate, &cert_pem, diag);
	if (key_pem.bytes != NULL) sodium_memzero(key_pem.bytes, key_pem.cap);
	kh_buf_free(&cert_pem);
	kh_buf_free(&key_pem);
	return err;
}

static enum kh_err own_or_made(const struct settings *s, char *certificate, char *key, struct kh_diag *diag)
{
	if (s->web.certificate != NULL && s->web.key != NULL) {
		snprintf(certificate, PATH_LEN, "%s", s->web.certificate);
		snprintf(key, PATH_LEN, "%s", s->web.key);
		return KH_OK;
	}
	char folder[PATH_LEN - 32];
	snprintf(folder, sizeof folder, "%s/tls", s->state);
	if (mkdir(folder, 0700) != 0 && errno != EEXIST) return kh_say_errno(diag, M_FILE_WRITE, folder, NULL);
	snprintf(certificate, PATH_LEN, "%s/certificate.pem", folder);
	snprintf(key, PATH_LEN, "%s/key.pem", folder);
	if (access(certificate, R_OK) == 0) return KH_OK;
	return make_pair(s, certificate, key, diag);
}

static enum kh_err load_pair(const struct settings *s, struct secrets *out, struct kh_diag *diag)
{
	char certificate[PATH_LEN], key[PATH_LEN], until[KH_TIME_TEXT];
	struct certificate_facts facts;
	KH_TRY(own_or_made(s, certificate, key, diag));
	KH_TRY(text_of(certificate, CERTIFICATE_PEM_MAX, &out->certificate, diag));
	KH_TRY(text_of(key, CERTIFICATE_PEM_MAX, &out->key, diag));
	KH_TRY(certificate_check(kh_str(out->certificate), kh_str(out->key), &facts, diag));
	if (facts.not_after_ns < kh_now_ns())
		kh_log(KH_LOG_WARNING, "event=certificate_expired path=%s", certificate);
	kh_log(KH_LOG_NOTICE, "event=certificate until=%s sha256=%s", kh_time_rfc3339(until, facts.not_after_ns),
		   facts.sha256);
	return KH_OK;
}

static void first_line(char *text)
{
	if (text != NULL) text[strcspn(text, "\r\n")] = '\0';
}

enum kh_err secrets_load(const struct settings *s, struct secrets *out, struct kh_diag *diag)
{
	struct secrets fresh = {0};
	enum kh_err err = s->web.tls ? load_pair(s, &fresh, diag) : KH_OK;
	if (err == KH_OK && s->mail.password_file != NULL)
		err = text_of(s->mail.password_file, MAX_PASSWORD, &fresh.mail_password, diag);
	first_line(fresh.mail_password);
	if (err != KH_OK) {
		secrets_free(&fresh);
		return err;
	}
	*out = fresh;
	return KH_OK;
}
