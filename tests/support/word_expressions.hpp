#pragma once

#include <string>
#include <vector>

/// The expressions of the models' files, as the files have them.
inline std::vector<std::string> word_expressions() {
  const std::string words = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
  const std::string rest = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const std::string upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]",
                    lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  const std::string before = "[^\\r\\n\\p{L}\\p{N}]?", after = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|";
  return {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
          words + "\\p{N}" + rest,
          words + "\\p{N}{1,3}" + rest,
          "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
          "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
          before + upper + "*" + lower + "+" + after + before + upper + "+" + lower + "*" + after +
              "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
          "[!\"#$%&'()*+,\\-./"
          ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
          "?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
          "\\s+$",
          "\\s?\\p{L}+",
          "[\r\n]",
          "\\p{N}{1,3}",
          "\\s?[!-/:-~！-／：-～‘-‟　-。]+",
          "[一-龥ࠀ-一가-퟿]+"};
}
