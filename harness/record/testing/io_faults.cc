// SPDX-License-Identifier: EUPL-1.2
// Preloaded into a program (LD_PRELOAD), makes chosen system calls on files whose name ends in
// ROCM_FAULT_SUFFIX fail:
//   ROCM_FAULT_CALL    write, fdatasync, fsync, ftruncate, close or rename; several with commas
//   ROCM_FAULT_FROM    the first call of these that fails, from 1
//   ROCM_FAULT_COUNT   how many fail; 0: all from there on
//   ROCM_FAULT_ERRNO   errno as a number
//   ROCM_FAULT_SHORT   1: a chosen write writes half of its bytes and succeeds; 2: the first one
//                      does, those after it fail
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<long> calls{0};

const char* Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsChosen(const char* call) {
  const char* list = Env("ROCM_FAULT_CALL");
  const std::size_t length = std::strlen(call);
  for (const char* at = std::strstr(list, call); at != nullptr; at = std::strstr(at + 1, call)) {
    const bool starts = at == list || at[-1] == ',';
    if (starts && (at[length] == '\0' || at[length] == ',')) return true;
  }
  return false;
}

bool HasSuffix(const char* path) {
  const char* suffix = Env("ROCM_FAULT_SUFFIX");
  const std::size_t n = std::strlen(path);
  const std::size_t m = std::strlen(suffix);
  return m > 0 && n >= m && std::strcmp(path + n - m, suffix) == 0;
}

bool IsOurs(int fd) {
  char link[64];
  char path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = ::readlink(link, path, sizeof path - 1);
  if (n < 0) return false;
  path[n] = '\0';
  return HasSuffix(path);
}

bool Fails(const char* call) {
  const int saved = errno;
  if (!IsChosen(call)) return false;
  const long from = std::atol(Env("ROCM_FAULT_FROM"));
  const long count = std::atol(Env("ROCM_FAULT_COUNT"));
  const long now = ++calls;
  errno = saved;
  return now >= from && (count == 0 || now < from + count);
}

int Refuse() {
  errno = std::atoi(Env("ROCM_FAULT_ERRNO"));
  return -1;
}

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t size) {
  static const auto real = Next<ssize_t (*)(int, const void*, size_t)>("write");
  if (!IsOurs(fd) || !Fails("write")) return real(fd, bytes, size);
  const int mode = std::atoi(Env("ROCM_FAULT_SHORT"));
  const bool first = calls == std::atol(Env("ROCM_FAULT_FROM"));
  if (mode == 1 || (mode == 2 && first)) return real(fd, bytes, size / 2);
  return Refuse();
}

int fdatasync(int fd) {
  static const auto real = Next<int (*)(int)>("fdatasync");
  return IsOurs(fd) && Fails("fdatasync") ? Refuse() : real(fd);
}

int fsync(int fd) {
  static const auto real = Next<int (*)(int)>("fsync");
  return IsOurs(fd) && Fails("fsync") ? Refuse() : real(fd);
}

int ftruncate(int fd, off_t size) noexcept {
  static const auto real = Next<int (*)(int, off_t)>("ftruncate");
  return IsOurs(fd) && Fails("ftruncate") ? Refuse() : real(fd, size);
}

int close(int fd) {
  static const auto real = Next<int (*)(int)>("close");
  if (!IsOurs(fd) || !Fails("close")) return real(fd);
  real(fd);  // Linux frees the descriptor whatever it answers
  return Refuse();
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = Next<int (*)(const char*, const char*)>("rename");
  return HasSuffix(to) && Fails("rename") ? Refuse() : real(from, to);
}

}  // extern "C"
