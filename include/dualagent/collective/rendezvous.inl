#pragma once

/// Definitions of rendezvous.hpp; see core/compiled.hpp.

#include "dualagent/collective/rendezvous.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE std::string fresh_word() {
  std::uint64_t numbers[2] = {};
  if (getrandom(numbers, sizeof numbers, 0) != static_cast<ssize_t>(sizeof numbers))
    throw Error("the system gives no random numbers", "getrandom");
  return std::to_string(numbers[0]) + "-" + std::to_string(numbers[1]);
}

inline std::string text_of_file(const std::filesystem::path& path) {
  std::error_code fault;
  return std::filesystem::is_regular_file(path, fault) ? read_file(path) : std::string();
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE void SharedFile::offer(std::size_t size, std::span<const std::byte> bytes) const {
  const std::string own = detail::fresh_word();
  std::string offered;
  std::vector<std::string> words(size);
  detail::wait_until(timeout_seconds, "the other ranks' files", path.string() + ".RANK", [&] {
    std::string head = own;
    bool all = true;
    for (std::size_t rank = 1; rank < size; ++rank) {
      words[rank] = detail::text_of_file(of_rank(rank));
      all = all && words[rank] == taken(own);
      head += " " + words[rank];
    }
    if (head != offered) write(head, bytes);
    offered = head;
    return all;
  });
  for (std::size_t rank = 1; rank < size; ++rank) std::filesystem::remove(of_rank(rank));
  std::filesystem::remove(path);
}

DUALAGENT_INLINE void SharedFile::write(const std::string& head,
                                        std::span<const std::byte> bytes) const {
  std::string text = head + " \n";
  text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  write_file_atomically(path, text);
}

DUALAGENT_INLINE void SharedFile::take(std::size_t rank, std::span<std::byte> bytes) const {
  const std::string own = detail::fresh_word();
  write_file_atomically(of_rank(rank), own);
  detail::wait_until(timeout_seconds, "rank 0's file", path.string(), [&] {
    const std::string text = detail::text_of_file(path);
    const std::size_t line = text.find('\n');
    if (line == std::string::npos ||
        text.substr(0, line).find(" " + own + " ") == std::string::npos)
      return false;
    if (text.size() - line - 1 != bytes.size())
      throw Error("rank 0 offers " + std::to_string(text.size() - line - 1) +
                      " bytes, this rank expects " + std::to_string(bytes.size()),
                  path.string());
    std::memcpy(bytes.data(), text.data() + line + 1, bytes.size());
    write_file_atomically(of_rank(rank), taken(text.substr(0, text.find(' '))));
    return true;
  });
}

}  // namespace dualagent
