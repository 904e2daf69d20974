/* SPDX-License-Identifier: Apache-2.0 */
#include "web/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/address.h"
#include "base/message.h"
#include "base/time.h"
#include "base/uuid.h"

static enum kh_err openssl_says(struct kh_diag *d, enum kh_msg key)
{
	char text[160];
	ERR_error_string_n(ERR_get_error(), text, sizeof text);
	ERR_clear_error();
	return kh_say(d, KH_EFORMAT, key, text, NULL);
}

/* ---- making one ---- */

static bool name_ok(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n <= 253 &&
		   strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*") == n;
}

/* OpenSSL's own list syntax; name_ok keeps commas and colons of strangers out of it. */
static enum kh_err names_text(const char *const *names, size_t n, struct kh_buf *b, struct kh_diag *d)
{
	kh_buf_text(b, "DNS:localhost,IP:127.0.0.1,IP:::1");
	if (n > CERTIFICATE_MAX_NAMES)
		return kh_say(d, KH_ELIMIT, M_WEB_CERT_NAMES, KH_DEC(CERTIFICATE_MAX_NAMES), NULL);
	for (size_t i = 0; i < n; i++) {
		struct kh_address a;
		char text[KH_ADDRESS_TEXT];
		if (kh_address_parse(kh_str(names[i]), &a) == KH_OK)
			kh_buf_printf(b, ",IP:%s", kh_address_text(text, &a));
		else if (name_ok(names[i]))
			kh_buf_printf(b, ",DNS:%s", names[i]);
		else
			return kh_say(d, KH_EFORMAT, M_WEB_CERT_NAME, names[i], NULL);
	}
	return b->err == KH_OK ? KH_OK : kh_say(d, b->err, M_OUT_OF_MEMORY, NULL);
}

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e != NULL && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool set_serial(X509 *x)
{
	unsigned char bytes[16];
	kh_random(bytes, sizeof bytes);
	bytes[0] &= 0x7f; /* positive, as RFC 5280, 4.1.2.2 wants */
	bytes[0] |= 0x40; /* and never zero */
	BIGNUM *n = BN_bin2bn(bytes, sizeof bytes, NULL);
	bool ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return ok;
}

static bool set_dates(X509 *x, int64_t now_ns)
{
	time_t from = (time_t)(now_ns / KH_SECOND - 3600);
	time_t to = from + (time_t)CERTIFICATE_DAYS * 86400;
	return ASN1_TIME_set(X509_getm_notBefore(x), from) != NULL &&
		   ASN1_TIME_set(X509_getm_notAfter(x), to) != NULL;
}

static bool set_subject(X509 *x, const char *cn)
{
	X509_NAME *name = X509_get_subject_name(x);
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0) == 1 &&
		   X509_set_issuer_name(x, name) == 1;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *cn, const char *names, int64_t now_ns)
{
	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) && set_dates(x, now_ns) &&
		   set_subject(x, cn) && X509_set_pubkey(x, key) == 1 &&
		   add_extension(x, NID_subject_alt_name, names) &&
		   add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
		   add_extension(x, NID_key_usage, "critical,digitalSignature") &&
		   add_extension(x, NID_ext_key_usage, "serverAuth") &&
		   add_extension(x, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256()) > 0;
}

static bool drain(BIO *bio, struct kh_buf *out)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);
	if (n <= 0) return false;
	kh_buf_put(out, (struct kh_slice){(const uint8_t *)p, (size_t)n});
	OPENSSL_cleanse(p, (size_t)n);
	return out->err == KH_OK;
}

static bool write_pair(X509 *x, EVP_PKEY *key, struct kh_buf *cert_pem, struct kh_buf *key_pem)
{
	BIO *c = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_mem());
	bool ok = c != NULL && k != NULL && PEM_write_bio_X509(c, x) == 1 &&
			  PEM_write_bio_PKCS8PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1 && drain(c, cert_pem) &&
			  drain(k, key_pem);
	BIO_free(c);
	BIO_free(k);
	return ok;
}

enum kh_err certificate_make(const char *const *names, size_t n_names, int64_t now_ns,
							 struct kh_buf *cert_pem, struct kh_buf *key_pem, struct kh_diag *d)
{
	struct kh_buf list = KH_BUF(16384);
	enum kh_err err = names_text(names, n_names, &list, d);
	X509 *x = NULL;
	EVP_PKEY *key = NULL;
	if (err != KH_OK) goto out;
	key = EVP_EC_gen("P-256");
	x = X509_new();
	/* the common name is for the reader's eye, at most 64 (RFC 5280, ub-common-name) */
	const char *cn = n_names > 0 && strlen(names[0]) <= 64 ? names[0] : "khien";
	if (key == NULL || x == NULL || !fill(x, key, cn, list.bytes, now_ns) ||
		!write_pair(x, key, cert_pem, key_pem))
		err = openssl_says(d, M_WEB_CERT_MAKE);
out:
	X509_free(x);
	EVP_PKEY_free(key);
	kh_buf_free(&list);
	return err;
}

/* ---- reading one ---- */

static bool to_ns(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(t, &tm) != 1) return false;
	return !__builtin_mul_overflow((int64_t)timegm(&tm), KH_SECOND, out);
}

static bool fingerprint(const X509 *x, char out[96])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	if (X509_digest(x, EVP_sha256(), md, &n) != 1 || n != 32) return false;
	for (unsigned i = 0; i < n; i++) snprintf(out + 3 * i, 4, "%02X%s", md[i], i + 1 < n ? ":" : "");
	return true;
}

static bool subject(const X509 *x, char *out, size_t cap)
{
	BIO *b = BIO_new(BIO_s_mem());
	bool ok = b != NULL && X509_NAME_print_ex(b, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0;
	int n = ok ? BIO_read(b, out, (int)cap - 1) : 0;
	out[n > 0 ? n : 0] = '\0'; /* an empty subject is allowed */
	BIO_free(b);
	return ok;
}

static bool read_facts(const X509 *x, struct certificate_facts *out)
{
	return to_ns(X509_get0_notBefore(x), &out->not_before_ns) &&
		   to_ns(X509_get0_notAfter(x), &out->not_after_ns) && fingerprint(x, out->sha256) &&
		   subject(x, out->subject, sizeof out->subject);
}

/* Never asks a terminal for a pass phrase: an encrypted key is an error. */
static int no_pass_phrase(char *buf, int size, int rw, void *arg)
{
	(void)buf, (void)size, (void)rw, (void)arg;
	return -1;
}

enum kh_err certificate_check(struct kh_slice cert_pem, struct kh_slice key_pem,
							  struct certificate_facts *out, struct kh_diag *d)
{
	enum kh_err err = KH_OK;
	if (cert_pem.n > CERTIFICATE_PEM_MAX || key_pem.n > CERTIFICATE_PEM_MAX)
		return kh_say(d, KH_ELIMIT, M_WEB_CERT_LARGE, KH_DEC(CERTIFICATE_PEM_MAX), NULL);
	struct certificate_facts facts = {0};
	BIO *c = BIO_new_mem_buf(cert_pem.p, (int)cert_pem.n), *k = BIO_new_mem_buf(key_pem.p, (int)key_pem.n);
	X509 *x = c != NULL ? PEM_read_bio_X509(c, NULL, no_pass_phrase, NULL) : NULL;
	EVP_PKEY *key = k != NULL ? PEM_read_bio_PrivateKey(k, NULL, no_pass_phrase, NULL) : NULL;
	if (x == NULL)
		err = openssl_says(d, M_WEB_CERT_READ);
	else if (key == NULL)
		err = openssl_says(d, M_WEB_CERT_KEY);
	else if (X509_check_private_key(x, key) != 1)
		err = openssl_says(d, M_WEB_CERT_MISMATCH);
	else if (!read_facts(x, &facts))
		err = openssl_says(d, M_WEB_CERT_READ);
	if (err == KH_OK) *out = facts;
	X509_free(x);
	EVP_PKEY_free(key);
	BIO_free(c);
	BIO_free(k);
	return err;
}
