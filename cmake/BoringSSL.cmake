# Targets BoringSSL::crypto and BoringSSL::ssl, from the cache that tools/boringssl.sh fills (outside the build folder,
# so every build of every checkout shares it). POSTERN_BORINGSSL_SOURCE names a source tree, upstream's or Android's, to
# use in place of the distribution's source package.
set(POSTERN_BORINGSSL_SOURCE "" CACHE PATH "BoringSSL source tree; empty: the distribution's source package")

# The machine's own compiler, whichever this build uses: one library serves the sanitizer and fuzzer builds, too.
execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=CC --unset=CXX --unset=CFLAGS --unset=CXXFLAGS
                        ${PROJECT_SOURCE_DIR}/tools/boringssl.sh ${POSTERN_BORINGSSL_SOURCE}
                OUTPUT_VARIABLE boringssl OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "BoringSSL could not be had (see above). `./dev deps` installs what its build needs; "
                      "-DPOSTERN_BORINGSSL_SOURCE=DIR takes a source tree of yours.")
endif()
message(STATUS "BoringSSL: ${boringssl}")

find_package(Threads REQUIRED)
foreach(name crypto ssl)
  add_library(BoringSSL::${name} STATIC IMPORTED)
  set_target_properties(BoringSSL::${name} PROPERTIES
    IMPORTED_LOCATION ${boringssl}/lib${name}.a
    INTERFACE_INCLUDE_DIRECTORIES ${boringssl}/include)
endforeach()
target_link_libraries(BoringSSL::crypto INTERFACE Threads::Threads)
target_link_libraries(BoringSSL::ssl INTERFACE BoringSSL::crypto)
