# postern_embed(TARGET FILE SYMBOL): FILE's bytes as `extern "C" const unsigned char SYMBOL[]` and
# `extern "C" const unsigned long SYMBOL_size` in TARGET. Run as a script (-DINPUT, -DOUTPUT, -DSYMBOL) it writes that
# source file.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${INPUT} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  file(WRITE ${OUTPUT} "extern \"C\" {\nextern const unsigned char ${SYMBOL}[];\nextern const unsigned long ${SYMBOL}_size;
const unsigned char ${SYMBOL}[] = {\n${bytes}\n};\nconst unsigned long ${SYMBOL}_size = sizeof ${SYMBOL};\n}\n")
  return()
endif()

set(POSTERN_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(postern_embed target file symbol)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cc)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DOUTPUT=${output} -DSYMBOL=${symbol} -P ${POSTERN_EMBED_SCRIPT}
    DEPENDS ${file} ${POSTERN_EMBED_SCRIPT} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
