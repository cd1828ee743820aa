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
#           [ENVIRONMENT K=V …] [TIMEOUT seconds] [ON_MOCK] [SERIAL])
# SERIAL runs its tests alone: they judge times. ON_MOCK runs the same tests a second time against mock-llama-server, label integration.
# Every TEST becomes one CTest test NAME.Suite.Case carrying the label. Tests find the built
# programs through ROCM_TEST_BIN_DIR and the sources through ROCM_TEST_SOURCE_DIR.
function(rocm_test name)
  if(NOT ROCM_TESTS)
    return()
  endif()
  # Values in, values out: these rooms start no thread and share nothing, so that ThreadSanitizer
  # has nothing to see there. The rooms that use them from threads are tested under it.
  if(ROCM_SANITIZE MATCHES "thread" AND
     name MATCHES "^(backend_(contract|wire|gguf)|harness_(scenario|base|measure))_")
    return()
  endif()
  cmake_parse_arguments(arg "ON_MOCK;SERIAL" "LABEL;TIMEOUT" "SOURCES;LINK;ENVIRONMENT" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gmock GTest::gtest_main rocm_warnings)
  # Half of what there is to compile, and none of what is measured.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-Og>)
  set(serial ${arg_SERIAL})
  rocm_discover(${name} "${name}." ${arg_LABEL} ${arg_TIMEOUT} "${arg_ENVIRONMENT}")
  if(arg_ON_MOCK)
    rocm_discover(${name} "${name}.mock." integration ${arg_TIMEOUT}
                  "${arg_ENVIRONMENT};ROCM_TEST_SERVER=mock")
    add_dependencies(${name} mock-llama-server)
  endif()
endfunction()

# One CTest test per GoogleTest test, listed when CTest runs: see discover_tests.cmake.
function(rocm_discover target prefix label timeout environment)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${prefix}ctest.cmake)
  set(all_environment ${environment} ${ROCM_SANITIZER_ENV}
      "ROCM_TEST_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
      "ROCM_TEST_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
  list(REMOVE_ITEM all_environment "")
  file(CONFIGURE OUTPUT ${file} @ONLY CONTENT [[
set(cmake "@CMAKE_COMMAND@")
set(program "@CMAKE_RUNTIME_OUTPUT_DIRECTORY@/@target@")
set(prefix "@prefix@")
set(labels "@label@")
set(timeout "@timeout@")
set(environment "@all_environment@")
set(serial "@serial@")
set(directory "@CMAKE_CURRENT_BINARY_DIR@")
include("@PROJECT_SOURCE_DIR@/ci/cmake/discover_tests.cmake")
]])
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${file})
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

# rocm_fuzz(NAME SOURCES a_fuzz.cc … LINK room … [CORPUS folder])
# A libFuzzer program, built by the preset `fuzz` only. ci/fuzz.sh runs it on a copy of the corpus,
# which the tests replay under g++.
function(rocm_fuzz name)
  if(NOT ROCM_FUZZ)
    return()
  endif()
  cmake_parse_arguments(arg "" "CORPUS" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINK} rocm_warnings)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzzers)
  if(arg_CORPUS)
    cmake_path(ABSOLUTE_PATH arg_CORPUS BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/fuzzers)
    file(CREATE_LINK ${arg_CORPUS} ${CMAKE_BINARY_DIR}/fuzzers/${name}.corpus SYMBOLIC)
  endif()
  add_dependencies(fuzzers ${name})
endfunction()
