#include "dualagent/kernels/matrix.inl"

#include <type_traits>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;
using kernels::Matrix;

TEST_CASE("a matrix is a view with a stride, and its parts are views", "[kernels][matrix]") {
  std::vector<int> memory(24);
  for (int i = 0; i < 24; ++i) memory[static_cast<std::size_t>(i)] = i;
  const Matrix<int> m{memory.data(), 4, 5, 6};
  CHECK(m.row(2)[3] == 15);
  const Matrix<int> middle = m.rows_at(1, 2).columns_at(2, 3);
  CHECK(middle.rows == 2);
  CHECK(middle.columns == 3);
  CHECK(middle.stride == 6);
  CHECK(middle.row(1)[0] == 14);
  middle.row(0)[1] = -1;
  CHECK(memory[9] == -1);

  const Matrix<int> whole = kernels::dense(memory.data(), 4, 6);
  CHECK(whole.stride == 6);
  CHECK(whole.row(3)[5] == 23);
  const Matrix<const int> reading = m;
  CHECK(reading.row(2)[3] == 15);
  CHECK_FALSE(std::is_convertible_v<Matrix<const int>, Matrix<int>>);
}
