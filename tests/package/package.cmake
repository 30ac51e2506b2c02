# The installed package and the embedded source tree, each used by a project of its own.
set(consumer_dir ${CMAKE_CURRENT_BINARY_DIR}/package)
foreach(way find_package add_subdirectory)
  add_test(NAME package/${way}
    COMMAND ${CMAKE_COMMAND} -DWAY=${way} -DROOT=${PROJECT_SOURCE_DIR} -DBUILD=${PROJECT_BINARY_DIR}
            -DWORK=${consumer_dir}/${way} -DCXX=${CMAKE_CXX_COMPILER}
            -P ${CMAKE_CURRENT_LIST_DIR}/run_consumer.cmake)
  set_tests_properties(package/${way} PROPERTIES TIMEOUT 600)
endforeach()
