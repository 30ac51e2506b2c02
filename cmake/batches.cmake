# Several files as one translation unit: what they all include and instantiate is compiled once.
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
    write_batch(${CMAKE_CURRENT_SOURCE_DIR} "${batch}" ${output})
    list(APPEND kept ${output})
  endwhile()
  set(${files} ${kept} PARENT_SCOPE)
endfunction()

# Writes the files of BATCH, which lie under BASE, into OUTPUT. BASE must be among its include directories.
function(write_batch base batch output)
  set(headers "")
  set(bodies "")
  foreach(file IN LISTS batch)
    get_filename_component(folder ${file} DIRECTORY)
    file(RELATIVE_PATH folder ${base} ${folder})
    file(STRINGS ${file} file_headers REGEX "^#include")
    foreach(header IN LISTS file_headers)
      string(REGEX MATCH "\"[^\"]*" beside "${header}")
      string(REPLACE "\"" "" beside "${beside}")
      if(beside AND folder AND EXISTS ${base}/${folder}/${beside})
        string(REPLACE "\"${beside}\"" "\"${folder}/${beside}\"" header "${header}")
      endif()
      if(NOT header MATCHES "[.]inc\"")  # parts of functions
        list(APPEND headers "${header}")
      endif()
    endforeach()
    file(RELATIVE_PATH relative ${base} ${file})
    get_filename_component(name ${file} NAME_WE)
    if(name STREQUAL "main")
      string(MAKE_C_IDENTIFIER "${folder}_main" name)
    endif()
    string(APPEND bodies "namespace ${name} {\n#include \"${relative}\"\n}\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})  # its headers are listed here
  endforeach()
  list(REMOVE_DUPLICATES headers)
  list(JOIN headers "\n" headers)
  file(CONFIGURE OUTPUT ${output} CONTENT "${headers}\n${bodies}" @ONLY)
endfunction()

# Adds target NAME, not part of a default build: the programs of FILES, which lie under BASE, as one object. It shows
# that they compile without a warning, in a third of the time that all of them take.
function(add_programs_at_once name base files)
  write_batch(${base} "${files}" ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  target_include_directories(${name} PRIVATE ${base})
  # g++ takes an unnamed namespace of an included file for that of a header; a `main` in a namespace must return. Options
  # of the source: clang++ obeys the last flag, and -Wall comes late.
  set_source_files_properties(${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp PROPERTIES
    COMPILE_OPTIONS "$<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>;-Wno-return-type")
  target_link_libraries(${name} PRIVATE dualagent_own ${ARGN})
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
