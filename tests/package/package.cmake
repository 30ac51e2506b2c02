# The installed package and the embedded source tree, each used by a project of its own.
set(consumer_dir ${CMAKE_CURRENT_BINARY_DIR}/package)
# The consumers find nlohmann_json where this build found it.
if(nlohmann_json_DIR)
  set(consumer_json -Dnlohmann_json_DIR=${nlohmann_json_DIR})
else()
  set(consumer_json -DDUALAGENT_FETCH_DEPENDENCIES=ON -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON
                    -DFETCHCONTENT_SOURCE_DIR_NLOHMANN_JSON=${nlohmann_json_SOURCE_DIR})
endif()
# The library compiled once is for this machine where this build is, and so is what links it.
set(consumer_flags_find_package "")
set(consumer_flags_add_subdirectory "")
if(NOT DUALAGENT_INSTALL_COMPILED)
  message(STATUS "dualagent::compiled is not tested as a package: DUALAGENT_INSTALL_COMPILED is OFF")
elseif(DUALAGENT_NATIVE)
  set(consumer_flags_find_package -march=native)
endif()
foreach(way find_package add_subdirectory)
  add_test(NAME package/${way}
    COMMAND ${CMAKE_COMMAND} -DWAY=${way} -DROOT=${PROJECT_SOURCE_DIR} -DBUILD=${PROJECT_BINARY_DIR}
            -DWORK=${consumer_dir}/${way} -DCXX=${CMAKE_CXX_COMPILER}
            -DGENERATOR=${CMAKE_GENERATOR} -DWERROR=${DUALAGENT_WERROR} -DFLAGS=${consumer_flags_${way}}
            "-DJSON=${consumer_json}" -DSNIPPETS=${doc_snippets}
            -P ${CMAKE_CURRENT_LIST_DIR}/run_consumer.cmake)
  set_tests_properties(package/${way} PROPERTIES TIMEOUT 600)
endforeach()

# What the tutorial builds after the quickstart, which installs no Catch2.
add_test(NAME package/without_catch2
  COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -DWORK=${consumer_dir}/without_catch2
          -DCXX=${CMAKE_CXX_COMPILER} -DGENERATOR=${CMAKE_GENERATOR} "-DJSON=${consumer_json}"
          -P ${CMAKE_CURRENT_LIST_DIR}/without_catch2.cmake)
