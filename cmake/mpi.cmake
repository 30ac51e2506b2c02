# dualagent::mpi: the library and MPI, for collective/mpi.hpp and collective/shared_memory_and_mpi.hpp.
# Exists only where CMake's FindMPI finds MPI 3 (Debian: libopenmpi-dev and openmpi-bin).
if(TARGET dualagent::mpi)
  return()
endif()
set(MPI_CXX_SKIP_MPICXX ON)  # the C++ classes that MPI no longer has
if(NOT TARGET MPI::MPI_CXX)
  find_package(MPI 3.0 QUIET COMPONENTS CXX)
  if(TARGET MPI::MPI_CXX)
    set_target_properties(MPI::MPI_CXX PROPERTIES IMPORTED_GLOBAL TRUE)
  endif()
endif()
if(TARGET MPI::MPI_CXX)
  add_library(dualagent::mpi INTERFACE IMPORTED GLOBAL)
  target_link_libraries(dualagent::mpi INTERFACE dualagent::dualagent MPI::MPI_CXX)
endif()
