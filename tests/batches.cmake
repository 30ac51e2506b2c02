# Several test files as one translation unit: what they all include and instantiate is compiled once.
option(DUALAGENT_BATCH_TESTS "Compile test files in batches: faster all at once, slower after a change" OFF)
set(batch_size 10)  # files

# Replaces in FILES, the name of a list of files of tests/FOLDER, those that can share a translation unit
# by batches. In a batch each file stands in a namespace of its own, after the headers of all.
function(batch_sources folder files)
  set(kept "")
  set(number 0)
  set(batch "")
  foreach(source IN LISTS ${files})
    # Operators of the whole program, and a path that only its files are compiled with, stay apart.
    file(STRINGS ${source} apart REGEX "^void\\* operator new|DUALAGENT_TEST_DATA" LIMIT_COUNT 1)
    if(apart)
      list(APPEND kept ${source})
    else()
      list(APPEND batch ${source})
    endif()
    list(LENGTH batch count)
    if(count EQUAL batch_size)
      write_batch()
    endif()
  endforeach()
  list(LENGTH batch count)
  if(count GREATER 1)
    write_batch()
  endif()
  set(${files} ${kept} ${batch} PARENT_SCOPE)
endfunction()

# Moves the files of `batch` into one, and that into `kept`.
macro(write_batch)
  math(EXPR number "${number} + 1")
  set(headers "")
  set(bodies "")
  foreach(file IN LISTS batch)
    file(STRINGS ${file} file_headers REGEX "^#include")
    list(APPEND headers ${file_headers})
    get_filename_component(name ${file} NAME_WE)
    string(APPEND bodies "namespace ${name} {\n#include \"${folder}/${name}.cpp\"\n}\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})  # its headers are listed here
  endforeach()
  list(REMOVE_DUPLICATES headers)
  list(JOIN headers "\n" headers)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/batches/${folder}_${number}.cpp)
  file(CONFIGURE OUTPUT ${output} CONTENT "${headers}\n${bodies}" @ONLY)
  list(APPEND kept ${output})
  set(batch "")
endmacro()
