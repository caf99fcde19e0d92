/* The program that libseccomp makes of a profile, for our own to be held against.
 *
 * Lines on standard input, numbers in decimal:
 *   default ACTION            once, first
 *   only TOKEN                leave the native architecture out and take this one
 *   arch TOKEN                take this one too
 *   rule ACTION NAME N (INDEX OPERATOR A B)*N
 * On standard output: the program as struct sock_filter. On standard error: names that libseccomp doesn't
 * know, a line each. Exit code 3 where it refuses a rule.
 */
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  scmp_filter_ctx ctx = NULL;
  char word[64], name[128];
  while (scanf("%63s", word) == 1) {
    uint32_t number;
    if (scanf("%" SCNu32, &number) != 1) return 2;
    if (!strcmp(word, "default")) {
      if (!(ctx = seccomp_init(number))) return 2;
    } else if (!strcmp(word, "only")) {
      if (seccomp_arch_add(ctx, number) || seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE)) return 2;
    } else if (!strcmp(word, "arch")) {
      int result = seccomp_arch_add(ctx, number);
      if (result && result != -EEXIST) return 2;
    } else if (!strcmp(word, "rule")) {
      struct scmp_arg_cmp args[6];
      unsigned count;
      if (scanf("%127s %u", name, &count) != 2 || count > 6) return 2;
      for (unsigned i = 0; i < count; i++) {
        unsigned index, operator;
        if (scanf("%u %u %" SCNu64 " %" SCNu64, &index, &operator, &args[i].datum_a, &args[i].datum_b) != 4) return 2;
        args[i].arg = index;
        args[i].op = operator;
      }
      int call = seccomp_syscall_resolve_name(name);
      if (call == __NR_SCMP_ERROR) {
        fprintf(stderr, "%s\n", name);
      } else if (seccomp_rule_add_array(ctx, number, call, count, args)) {
        return 3;
      }
    } else {
      return 2;
    }
  }
  return seccomp_export_bpf(ctx, STDOUT_FILENO) ? 2 : 0;
}
