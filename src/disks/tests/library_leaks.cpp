// SPDX-License-Identifier: Apache-2.0
// What LeakSanitizer need not tell: libfsxfs forgets an inode when it finds a damaged one. Its
// process ends with the file system it reads, so nothing grows. Leaks of our own code are told.

extern "C" const char* __lsan_default_suppressions();

extern "C" const char* __lsan_default_suppressions() {
    return "leak:libfsxfs_inode_initialize\n";
}
