/* SPDX-License-Identifier: Apache-2.0
 * embed.c - build tool: writes one C file that holds the bytes of the files named.
 * Use: embed TABLE OUT.c IN...; the table is `const struct kh_embed TABLE[]`, ended by a row without a name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put_bytes(FILE *out, const char *path, int index)
{
	FILE *in = fopen(path, "rb");
	if (in == NULL) {
		perror(path);
		return -1;
	}
	fprintf(out, "static const unsigned char file_%d[] = {", index);
	int c, n = 0;
	while ((c = getc(in)) != EOF) fprintf(out, n++ % 32 ? "%d," : "\n%d,", c);
	fprintf(out, "0};\n");
	fclose(in);
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "use: embed TABLE OUT.c IN...\n");
		return EXIT_FAILURE;
	}
	FILE *out = fopen(argv[2], "wb");
	if (out == NULL) {
		perror(argv[2]);
		return EXIT_FAILURE;
	}
	fprintf(out, "#include \"base/embed.h\"\n");
	for (int i = 3; i < argc; i++)
		if (put_bytes(out, argv[i], i) != 0) return EXIT_FAILURE;
	fprintf(out, "extern const struct kh_embed %s[];\nconst struct kh_embed %s[] = {\n", argv[1], argv[1]);
	for (int i = 3; i < argc; i++)
		fprintf(out, "\t{\"%s\", {file_%d, sizeof file_%d - 1}},\n", base_name(argv[i]), i, i);
	fprintf(out, "\t{0},\n};\n");
	return fclose(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
