# dualagent::compiled: the functions of the headers that are no templates (NAME.inl), and the CPU transformer of
# float, compiled once (include/dualagent/core/compiled.hpp). Built where something links it; installed with
# DUALAGENT_INSTALL_COMPILED. Programs that link it get the same -march.
option(DUALAGENT_INSTALL_COMPILED "Build and install dualagent::compiled, too" OFF)

file(GLOB_RECURSE definitions RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS include/*.inl)
set(text_includes "")
set(other_includes "")
foreach(definition IN LISTS definitions)
  string(REGEX REPLACE "\\.inl$" ".hpp" header ${definition})
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/include/${header})
    continue()  # data
  endif()
  set(half other)
  if(definition MATCHES "dualagent/(text|data|reward|report)/")
    set(half text)
  endif()
  string(APPEND ${half}_includes "#include \"${definition}\"\n")
endforeach()
set(compiled_sources ${PROJECT_SOURCE_DIR}/cmake/compiled_transformer.cpp)
if(DUALAGENT_SANITIZE)  # whose presets do not optimise; every test that trains runs this
  set_source_files_properties(${compiled_sources} PROPERTIES COMPILE_OPTIONS -O1)
endif()
foreach(half other text)  # two files, so that two processors share them
  set(source ${CMAKE_CURRENT_BINARY_DIR}/compiled_${half}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "${${half}_includes}" @ONLY)
  list(APPEND compiled_sources ${source})
endforeach()

add_library(dualagent_compiled STATIC ${compiled_sources})
add_library(dualagent::compiled ALIAS dualagent_compiled)
set_target_properties(dualagent_compiled PROPERTIES EXPORT_NAME compiled POSITION_INDEPENDENT_CODE ON)
if(NOT DUALAGENT_INSTALL_COMPILED)
  set_target_properties(dualagent_compiled PROPERTIES EXCLUDE_FROM_ALL ON)
endif()
target_compile_definitions(dualagent_compiled PUBLIC DUALAGENT_COMPILED)
target_link_libraries(dualagent_compiled PUBLIC dualagent PRIVATE $<BUILD_INTERFACE:dualagent_own>)
target_compile_options(dualagent_compiled INTERFACE $<$<BOOL:${DUALAGENT_NATIVE}>:-march=native>)
