# SPDX-License-Identifier: EUPL-1.2
# A room is one folder: a static library, and beside it its tests and benchmarks.

# rocm_room(NAME SOURCES a.cc … LINK other_room third::party …)
function(rocm_room name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE $<BUILD_INTERFACE:rocm_warnings>)
endfunction()

# rocm_program(NAME SOURCES a.cc … LINK room …)
function(rocm_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINK} rocm_warnings)
endfunction()

# rocm_test(NAME LABEL unit|integration|model|soak SOURCES a_test.cc … LINK room …
#           [ENVIRONMENT K=V …] [TIMEOUT seconds])
# Every TEST becomes one CTest test NAME.Suite.Case carrying the label. Tests find the built
# programs through ROCM_TEST_BIN_DIR and the sources through ROCM_TEST_SOURCE_DIR.
function(rocm_test name)
  if(NOT ROCM_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;LINK;ENVIRONMENT" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gmock GTest::gtest_main rocm_warnings)
  include(GoogleTest)
  gtest_discover_tests(${name}
    TEST_PREFIX "${name}."
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES
      LABELS ${arg_LABEL}
      TIMEOUT ${arg_TIMEOUT}
      SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]"
      ENVIRONMENT "ROCM_TEST_BIN_DIR=${CMAKE_BINARY_DIR}/bin;ROCM_TEST_SOURCE_DIR=${PROJECT_SOURCE_DIR};${ROCM_SANITIZER_ENV};${arg_ENVIRONMENT}")
endfunction()

# rocm_benchmark(NAME SOURCES a_bench.cc … LINK room …)
function(rocm_benchmark name)
  if(NOT ROCM_BENCHMARKS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINK} benchmark::benchmark benchmark::benchmark_main
                        rocm_warnings)
endfunction()
