# SPDX-License-Identifier: EUPL-1.2
# Included by CTest, once per test program and variant, with these set: program, prefix, labels,
# timeout, environment (a list), directory, serial, cmake. Adds one CTest test for each GoogleTest test.
if(NOT EXISTS "${program}")
  add_test("${prefix}NOT_BUILT" "${cmake}" -E false)
  set_tests_properties("${prefix}NOT_BUILT" PROPERTIES LABELS "${labels}")
  return()
endif()
execute_process(COMMAND "${cmake}" -E env ${environment} "${program}" --gtest_list_tests
                OUTPUT_VARIABLE listing RESULT_VARIABLE failed)
if(failed)
  add_test("${prefix}CANNOT_LIST_ITS_TESTS" "${cmake}" -E false)
  set_tests_properties("${prefix}CANNOT_LIST_ITS_TESTS" PROPERTIES LABELS "${labels}")
  return()
endif()
string(REPLACE ";" "" listing "${listing}")
string(REPLACE "\n" ";" listing "${listing}")
set(suite "")
foreach(line IN LISTS listing)
  string(REGEX REPLACE " *#.*$" "" line "${line}")
  if(line MATCHES "^([^ ]+\\.)$")
    set(suite "${line}")
  elseif(line MATCHES "^  ([^ ]+)$")
    set(test "${suite}${CMAKE_MATCH_1}")
    if(NOT test MATCHES "DISABLED_")
      add_test("${prefix}${test}" "${program}" "--gtest_filter=${test}")
      set_tests_properties("${prefix}${test}" PROPERTIES
        LABELS "${labels}" TIMEOUT "${timeout}" ENVIRONMENT "${environment}"
        WORKING_DIRECTORY "${directory}" RUN_SERIAL "${serial}" SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
    endif()
  endif()
endforeach()
