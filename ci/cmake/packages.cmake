# SPDX-License-Identifier: EUPL-1.2
# Everything third-party, from Debian's packages (ci/packages.sh installs them).
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(simdjson REQUIRED)
find_package(tl-expected REQUIRED)
find_package(prometheus-cpp REQUIRED CONFIG)
find_package(PkgConfig REQUIRED)
# Through pkg-config on purpose: its definitions are part of the library's ABI.
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)

# Boost 1.81 is header-only for us. Asio and Beast are compiled once, here, because a file that
# includes their implementation costs 13 s.
find_path(ROCM_BOOST_INCLUDE boost/beast/version.hpp REQUIRED)
set(asio_source ${CMAKE_BINARY_DIR}/asio_beast.cc)
file(CONFIGURE OUTPUT ${asio_source} CONTENT
"#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
")
add_library(asio_beast STATIC ${asio_source})
target_include_directories(asio_beast SYSTEM PUBLIC ${ROCM_BOOST_INCLUDE})
target_compile_definitions(asio_beast PUBLIC
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ASIO_NO_DEPRECATED BOOST_ERROR_CODE_HEADER_ONLY)
target_link_libraries(asio_beast PUBLIC Threads::Threads)

if(ROCM_TESTS)
  find_package(GTest REQUIRED)
  # Debian's interpreter by path: another python3 on PATH would not see Debian's modules.
  set(ROCM_PYTHON /usr/bin/python3)
endif()
if(ROCM_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()
