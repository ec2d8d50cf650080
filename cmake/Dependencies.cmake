# The distribution's libraries. Which part of Postern may use which is said where the part is defined; filters/ and
# conf/ get theirs by name, and nothing else.
find_package(PkgConfig REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(libidn REQUIRED IMPORTED_TARGET libidn)
pkg_check_modules(libuv REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(libmicrohttpd REQUIRED IMPORTED_TARGET libmicrohttpd)

# prometheus-cpp's own package file also wants curl and zlib, for parts that Postern does not use.
find_library(PROMETHEUS_CORE prometheus-cpp-core REQUIRED)
add_library(prometheus-core INTERFACE)
target_link_libraries(prometheus-core INTERFACE ${PROMETHEUS_CORE})

if(POSTERN_TESTS)
  find_package(GTest REQUIRED)
  pkg_check_modules(libgsasl REQUIRED IMPORTED_TARGET libgsasl)
endif()
if(POSTERN_BENCH)
  find_package(benchmark REQUIRED)
endif()
