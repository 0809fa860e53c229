/*
 * support_restic: a key file holds the parameters of scrypt, which its reader follows, and the master key, encrypted
 * (AES-256 in counter mode, then Poly1305-AES) under what scrypt makes of the password. restic makes the repository and
 * tells its master key; this writes it into a key file of the smallest parameters.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "controllers/job/job.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "test/unit/support_restic.h"

enum { SCRYPT_N = 2, SCRYPT_R = 1, SCRYPT_P = 1, NONCE = 16, MAC = 16, SALT = 64, MASTER_MAX = 1024 };

/* What restic makes of a password. */
struct user_key {
    unsigned char encrypt[32], mac_k[16], mac_r[16];
};

static void crypt_block(const EVP_CIPHER *how, const unsigned char *key, const unsigned char *iv, const void *in, int n,
                        unsigned char *out)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int done = 0;

    assert_int_equal(EVP_EncryptInit_ex(c, how, NULL, key, iv), 1);
    assert_int_equal(EVP_CIPHER_CTX_set_padding(c, 0), 1);
    assert_int_equal(EVP_EncryptUpdate(c, out, &done, in, n), 1);
    assert_int_equal(done, n);
    EVP_CIPHER_CTX_free(c);
}

static void poly1305(const unsigned char key[32], const unsigned char *in, size_t n, unsigned char out[MAC])
{
    EVP_MAC *how = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    EVP_MAC_CTX *c = EVP_MAC_CTX_new(how);
    size_t len = 0;

    assert_int_equal(EVP_MAC_init(c, key, 32, NULL), 1);
    assert_int_equal(EVP_MAC_update(c, in, n), 1);
    assert_int_equal(EVP_MAC_final(c, out, &len, MAC), 1);
    assert_int_equal(len, MAC);
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(how);
}

/* nonce, ciphertext, mac; out has room for NONCE + n + MAC. */
static void seal(const struct user_key *k, const char *text, size_t n, unsigned char *out)
{
    unsigned char once[32];

    assert_int_equal(RAND_bytes(out, NONCE), 1);
    crypt_block(EVP_aes_256_ctr(), k->encrypt, out, text, (int)n, out + NONCE);
    memcpy(once, k->mac_r, 16);
    crypt_block(EVP_aes_128_ecb(), k->mac_k, NULL, out, NONCE, once + 16);
    poly1305(once, out + NONCE, n, out + NONCE + n);
}

static char *base64(const unsigned char *in, size_t n)
{
    char *text = mem_alloc(n / 3 * 4 + 5);

    (void)EVP_EncodeBlock((unsigned char *)text, in, (int)n);
    return text;
}

static char *key_file(const char *master, const char *password)
{
    unsigned char salt[SALT], sealed[NONCE + MASTER_MAX + MAC];
    struct user_key k;
    AUTO_FREE char *salt64 = NULL, *data64 = NULL;

    assert_true(strlen(master) <= MASTER_MAX);
    assert_int_equal(RAND_bytes(salt, SALT), 1);
    assert_int_equal(EVP_PBE_scrypt(password, strlen(password), salt, SALT, SCRYPT_N, SCRYPT_R, SCRYPT_P, 0,
                                    (unsigned char *)&k, sizeof(k)),
                     1);
    seal(&k, master, strlen(master), sealed);
    salt64 = base64(salt, SALT);
    data64 = base64(sealed, NONCE + strlen(master) + MAC);
    return mem_printf("{\"created\":\"2026-01-01T00:00:00Z\",\"username\":\"test\",\"hostname\":\"test\","
                      "\"kdf\":\"scrypt\",\"N\":%d,\"r\":%d,\"p\":%d,\"salt\":\"%s\",\"data\":\"%s\"}",
                      SCRYPT_N, SCRYPT_R, SCRYPT_P, salt64, data64);
}

/* As a shell's commands, in the repository; what they print, or at most size - 1 bytes of it. */
static void shell(const char *repo, const char *password, const char *commands, char *ret, size_t size)
{
    AUTO_FREE char *line = mem_printf("cd '%s' && export RESTIC_REPOSITORY=. && %s", repo, commands);
    FILE *f;
    size_t n;

    assert_int_equal(setenv("RESTIC_PASSWORD", password, 1), 0);
    f = popen(line, "r");
    assert_non_null(f);
    n = fread(ret, 1, size - 1, f);
    ret[n] = '\0';
    assert_int_equal(pclose(f), 0);
    assert_int_equal(unsetenv("RESTIC_PASSWORD"), 0);
}

static void hex_sha256(const char *text, char ret[65])
{
    unsigned char sum[32];

    assert_int_equal(EVP_Digest(text, strlen(text), sum, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < sizeof(sum); i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", sum[i]);
}

void support_restic_cheapen(const char *repo, const char *password)
{
    char master[MASTER_MAX + 1], name[65], nothing[2];
    AUTO_FREE char *text = NULL, *path = NULL;
    FILE *f;

    shell(repo, password, "restic --no-cache --no-lock cat masterkey", master, sizeof(master));
    text = key_file(master, password);
    hex_sha256(text, name);
    shell(repo, password, "chmod -R u+w keys && rm keys/*", nothing, sizeof(nothing));
    path = mem_printf("%s/keys/%s", repo, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static char made[] = "/tmp/test-restic-XXXXXX";

static void remove_made(void)
{
    job_remove(made);
}

void support_restic_make(const char *dir, const char *password)
{
    static bool is_made;
    AUTO_FREE char *copy = NULL;
    char nothing[2];

    if (!is_made) {
        assert_non_null(mkdtemp(made));
        assert_int_equal(atexit(remove_made), 0);
        shell(made, password, "restic --no-cache -q init", nothing, sizeof(nothing));
        support_restic_cheapen(made, password);
        is_made = true;
    }
    copy = mem_printf("cp -r . '%s/repo'", dir);
    shell(made, password, copy, nothing, sizeof(nothing));
}
