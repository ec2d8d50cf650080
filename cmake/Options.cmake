# Compiler and linker options that hold for every target.
add_compile_options(-Wall -Wextra -ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections)
if(POSTERN_WERROR)
  add_compile_options(-Werror)
endif()

# Out-of-range indices and the like stop the program in every build.
add_compile_definitions(_GLIBCXX_ASSERTIONS)
if(POSTERN_SANITIZE)
  add_compile_options(-fsanitize=${POSTERN_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${POSTERN_SANITIZE})
  if(POSTERN_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
elseif(NOT POSTERN_FUZZ)
  # Hardening that costs nothing worth measuring. Sanitizers bring checks of their own that these would hide.
  add_compile_options(-fstack-protector-strong -fcf-protection)
  add_compile_definitions($<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

if(POSTERN_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "POSTERN_FUZZ needs clang: -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
