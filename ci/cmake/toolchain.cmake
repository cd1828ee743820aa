# SPDX-License-Identifier: EUPL-1.2
# Language level, warnings, sanitizers, compiler cache and linker.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(ROCM_CCACHE ccache)
if(ROCM_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ROCM_CCACHE})
endif()
find_program(ROCM_LLD ld.lld)
if(ROCM_LLD)
  add_link_options(-fuse-ld=lld)
endif()

# Linked to by every target of ours; third-party headers come in as system headers.
add_library(rocm_warnings INTERFACE)
target_compile_options(rocm_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  $<$<BOOL:${ROCM_WERROR}>:-Werror>)
# GCC 12 reports false positives of these two inside libstdc++ and coroutine frames when it optimises.
target_compile_options(rocm_warnings INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-maybe-uninitialized -Wno-restrict>)

# Several files of a room as one: a third of the compiler's time. So names in the anonymous namespaces
# of one room differ, and what these two warn of between files is none of any one file's. The preset
# dev compiles each file by itself.
if(CMAKE_UNITY_BUILD)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
  target_compile_options(rocm_warnings INTERFACE
    -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

if(ROCM_SANITIZE)
  add_compile_options(-fsanitize=${ROCM_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${ROCM_SANITIZE})
  if(ROCM_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
    # A null pointer ends the program by itself, and these checks at every access are a quarter of
    # the compiler's time. The fuzzers and ci/soak.sh keep them.
    option(ROCM_UBSAN_ALL "Check null, alignment, object size and vptr too" OFF)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT ROCM_UBSAN_ALL)
      add_compile_options(-fno-sanitize=null,alignment,object-size,vptr)
    endif()
  endif()
  if(ROCM_SANITIZE MATCHES "thread")
    # Asio's fences are not modelled by TSan; GCC says so once per file. And instrumented, GCC 12
    # takes the recycled memory of a coroutine's frame for a mismatch.
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>
                        $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
  endif()
  set(ROCM_SANITIZER_ENV
    "ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
endif()

if(ROCM_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "ROCM_FUZZ needs clang++: use the preset 'fuzz'")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_custom_target(fuzzers)
endif()
