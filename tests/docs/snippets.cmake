# The blocks of C++ and CMake in README.md and docs/*.md, as files: PAGE/SECTION.inc in
# ${doc_snippets}. tests/docs includes each of them, so that what the pages show compiles.
set(doc_snippets ${CMAKE_CURRENT_BINARY_DIR}/snippets)
file(GLOB doc_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/docs/*.md)
file(REMOVE_RECURSE ${doc_snippets}.new)
foreach(page IN LISTS doc_pages)
  get_filename_component(name ${page} NAME_WE)
  file(MAKE_DIRECTORY ${doc_snippets}.new/${name})
  execute_process(COMMAND awk -v OUT=${doc_snippets}.new/${name}
                          -f ${CMAKE_CURRENT_LIST_DIR}/extract.awk ${page}
                  COMMAND_ERROR_IS_FATAL ANY)
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
endforeach()
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${CMAKE_CURRENT_LIST_DIR}/extract.awk)

# Files that did not change keep their time; those of blocks that are gone, go.
file(GLOB_RECURSE old RELATIVE ${doc_snippets} ${doc_snippets}/*.inc)
file(GLOB_RECURSE new RELATIVE ${doc_snippets}.new ${doc_snippets}.new/*.inc)
list(REMOVE_ITEM old ${new})
foreach(snippet IN LISTS old)
  file(REMOVE ${doc_snippets}/${snippet})
endforeach()
foreach(snippet IN LISTS new)
  configure_file(${doc_snippets}.new/${snippet} ${doc_snippets}/${snippet} COPYONLY)
endforeach()
file(REMOVE_RECURSE ${doc_snippets}.new)
