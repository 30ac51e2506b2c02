# dualagent::eigen: the library and Eigen, for the headers that use it (model/eigen_view.hpp,
# optim/muon.hpp). Exists only where Eigen 3.4 is found.
if(TARGET dualagent::eigen)
  return()
endif()
find_package(Eigen3 3.4 QUIET NO_MODULE GLOBAL)
if(TARGET Eigen3::Eigen)
  add_library(dualagent::eigen INTERFACE IMPORTED GLOBAL)
  target_link_libraries(dualagent::eigen INTERFACE dualagent::dualagent Eigen3::Eigen)
endif()
