/* SPDX-License-Identifier: Apache-2.0
 * cli/sigma.h - `khien sigma check | match | explain`. argv[0] is the verb. Data goes to standard output,
 * words to standard error. The exit code: 0, 1 (a rule was rejected), or one of sysexits.h. */
#ifndef KH_CLI_SIGMA_H
#define KH_CLI_SIGMA_H
int sigma_check_main(int argc, char **argv);
int sigma_match_main(int argc, char **argv);
int sigma_explain_main(int argc, char **argv);
#endif
