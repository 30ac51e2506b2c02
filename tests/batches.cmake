# Several test files as one translation unit: what they all include and instantiate is compiled once.
option(DUALAGENT_BATCH_TESTS "Compile test files in batches: faster all at once, slower after a change" OFF)
set(batch_size 50)  # files at most; the more, the fewer copies of the same functions are compiled

# Replaces in FILES, the name of a list of files of tests/FOLDER, those that can share a translation unit
# by batches of equal size. In a batch each file stands in a namespace of its own, after the headers of all.
# Files of OPTIMISED stay apart, and those that replace operators of the whole program.
function(batch_sources folder files optimised)
  set(kept "")
  set(shared "")
  foreach(source IN LISTS ${files})
    file(STRINGS ${source} apart REGEX "^void\\* operator new" LIMIT_COUNT 1)
    file(RELATIVE_PATH relative ${CMAKE_CURRENT_SOURCE_DIR} ${source})
    if(apart OR relative IN_LIST ${optimised})
      list(APPEND kept ${source})
    else()
      list(APPEND shared ${source})
    endif()
  endforeach()
  list(LENGTH shared count)
  math(EXPR batches "(${count} + ${batch_size} - 1) / ${batch_size}")
  set(number 0)
  while(number LESS batches)
    math(EXPR begin "${number} * ${count} / ${batches}")
    math(EXPR number "${number} + 1")
    math(EXPR length "${number} * ${count} / ${batches} - ${begin}")
    list(SUBLIST shared ${begin} ${length} batch)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/batches/${folder}_${number}.cpp)
    write_batch(${folder} "${batch}" ${output})
    list(APPEND kept ${output})
  endwhile()
  set(${files} ${kept} PARENT_SCOPE)
endfunction()

# Writes the files of BATCH into OUTPUT.
function(write_batch folder batch output)
  set(headers "")
  set(bodies "")
  foreach(file IN LISTS batch)
    file(STRINGS ${file} file_headers REGEX "^#include")
    list(FILTER file_headers EXCLUDE REGEX "[.]inc\"$")  # parts of functions
    list(APPEND headers ${file_headers})
    get_filename_component(name ${file} NAME_WE)
    string(APPEND bodies "namespace ${name} {\n#include \"${folder}/${name}.cpp\"\n}\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})  # its headers are listed here
  endforeach()
  list(REMOVE_DUPLICATES headers)
  list(JOIN headers "\n" headers)
  file(CONFIGURE OUTPUT ${output} CONTENT "${headers}\n${bodies}" @ONLY)
endfunction()

# Sorts LIST, the name of a list of folders of tests/, by the bytes of their tests, and removes those without.
function(largest_first list)
  set(sized "")
  foreach(folder IN LISTS ${list})
    set(bytes 1000000000)  # for digits of equal number
    file(GLOB sources ${folder}/*_test.cpp)
    foreach(source IN LISTS sources)
      file(SIZE ${source} size)
      math(EXPR bytes "${bytes} + ${size}")
    endforeach()
    if(sources)
      list(APPEND sized ${bytes}/${folder})
    endif()
  endforeach()
  list(SORT sized ORDER DESCENDING)
  list(TRANSFORM sized REPLACE "^[0-9]+/" "")
  set(${list} ${sized} PARENT_SCOPE)
endfunction()
