#pragma once

/// Definitions of known_templates.hpp; see core/compiled.hpp.

#include "dualagent/text/known_templates.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE AnyCallFormat qwen_coder_calls(const DialectOptions& options) {
  return QwenCoderCalls::of(options.chat.tools);
}

DUALAGENT_INLINE AnyCallFormat qwen3_coder_calls(const DialectOptions& options) {
  return Qwen3CoderCalls::of(options.chat.tools);
}

DUALAGENT_INLINE AnyCallFormat glm45_calls(const DialectOptions& options) {
  return Glm45Calls::of(options.chat.tools);
}

DUALAGENT_INLINE AnyCallFormat glm47_calls(const DialectOptions& options) {
  return Glm47Calls::of(options.chat.tools);
}

DUALAGENT_INLINE AnyChatTemplate dated_llama(const DialectOptions& options) {
  Llama3 chat;
  if (!options.today.empty()) chat.today = options.today;
  return chat;
}

DUALAGENT_INLINE AnyChatTemplate dated_mistral(const DialectOptions& options) {
  return options.today.empty() ? MistralSmall32{} : MistralSmall32{options.today};
}

inline constexpr std::array kKnownDigests{
    KnownDigest{"153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3", "chatml"},
    KnownDigest{"fcf7a096fe99a48fd9ad2b250bf9237e96e8f48bffec1c7ea4d3f225176cd40e", "chatml"},
    KnownDigest{"872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788", "smollm2"},
    KnownDigest{"793202280c0910ab26bc6eb57c8212c2417324c6d8c4efd0d10d59092ab3e3eb", "qwen2"},
    KnownDigest{"a0bc6f6fc7a29a80017a433e8f03a1cc1236e838a944a2d034295a60c4f2fddb", "qwen2"},
    KnownDigest{"d027e14db2e64eb2c23597240d42ea747b4fd5efd6e6a7604a990949c610f79c", "qwen2"},
    KnownDigest{"4039eed0f28b7aaa337e70c76cfedba3271ee32505835a095a8c92e536b3c355", "qwen2"},
    KnownDigest{"55b2f4a26ac9ee719330a61a0c39d9e538b0e9322212f048326318cff4f8674a", "qwen2.5"},
    KnownDigest{"2976f7de3b9489e3237dc5ad2734060f756d026da00f24464c59c2e3bb40ee37", "qwen2.5-math"},
    KnownDigest{"a55ee1b1660128b7098723e0abcd92caa0788061051c62d51cbe87d9cf1974d8", "qwen3"},
    KnownDigest{"57f1fd00f0013a2be96aa79b857391f27e23df5b5f847072b524c897e24d0361", "qwen3"},
    KnownDigest{"64f85b198065d0fba2a81f37e10ed68161ce2c19a754c7100e67e0ca2ee9c326",
                "qwen3-instruct-2507"},
    KnownDigest{"cb2d7aa140bed098f4ac8ab1a403980e6768d58ec95ef701668fc7dd017e0762", "qwq"},
    KnownDigest{"a4aee8afcf2e0711942cf848899be66016f8d14a889ff9ede07bca099c28f715", "qwen3.5"},
    KnownDigest{"273d8e0e683b885071fb17e08d71e5f2a5ddfb5309756181681de4f5a1822d80", "qwen3.5"},
    KnownDigest{"e84f32a23fdda27689f868aa4a1a5621f41133e51a48d7f3efcbea2839574259", "qwen3.5"},
    KnownDigest{"ba03a121d097859c7b5b9cd03af99aafe95275210d2876f642ad9929a150f122", "llama3"},
    KnownDigest{"93c0e9aa3629bbd77e68dbc0f5621f6e6b23aa8d74b932595cdb8d64684526d7", "llama3.1"},
    KnownDigest{"d82792f95932f1c9cef5c4bd992f171225e3bf8c7b609b4557c9e1ec96be819f", "llama3.2"},
    KnownDigest{"3b8267e54b67df6500f231ffa969955cc9d26b3444a291ced4eb96ca7d3ca1ea", "deepseek-v3"},
    KnownDigest{"54d400beedcd17f464e10063e0577f6f798fa896266a912d8a366f8a2fcc0bca", "deepseek-v3"},
    KnownDigest{"45690185067ea25c073bff2d3e425a45ee2564d2bbf6cdf7d885e139d460b8e0",
                "deepseek-v3.1"},
    KnownDigest{"563b1ce7d61d50a9b4c7439a912a1116f095b712df5b5e4d3e1116049874eb64", "deepseek-r1"},
    KnownDigest{"56a1447ad31926fdc21fb07e56e5642bd9c850c4f52d8c8af7bbe5f079a84f5f", "deepseek-r1"},
    KnownDigest{"53671bac29bcb3e1f95f51b8c77d85a6011b66dc38bd23dce64eef04384a976b",
                "deepseek-r1-0528"},
    KnownDigest{"27288f957f8364c990a2ce13bf5f8bf86921c4bce467ce698c76dcc69466d821", "glm-4"},
    KnownDigest{"cf52f2f6e24e32ee664f495aebf87934180ea4e8fbdc1bca8bf029c0f3bfa82e", "glm-4-0414"},
    KnownDigest{"44f815868bf02fa458dd2f741a338046f4bf45f398eb6d067766726b9d96cce3", "glm-4.5"},
    KnownDigest{"e6e2ddfb13f8aef529a869e362f74743725c0919b8675139b93c0cb1623796c8", "glm-4.5"},
    KnownDigest{"d63ad536c3c81880043e22ec7fd08db42b4d8fb7c89c7138bc562bfa25281375", "glm-4.7"},
    KnownDigest{"45a1d5635afd3d8e08a28866e72fc8395d2a7ec30989fd0bdaec6dd45a99eff0", "glm-4.7"},
    KnownDigest{"eae48a3307931acb10a6fce475a36b711709672ea79ee1a9bc52f083d8b0a2af", "qwen3-coder"},
    KnownDigest{"ecd6ae513fe103f0eb62e8ab5bfa8d0fe45c1074fa398b089c93a7e70c15cfd6", "gemma"},
    KnownDigest{"8d9e3a3c114fb2053ec500184677af4f7e5f8ec2582443cd535834e68b3ade29", "gemma3"},
    KnownDigest{"dcaee66df77bfbb789ec541fe713218da30225a526f1db97138fc39ee6dc56aa", "phi3"},
    KnownDigest{"78d976a442bcde2f0be15aafbb8e3050e1104f86732266f68403251b89982a90", "phi3"},
    KnownDigest{"e7deee034838db2bfc7487788a3013d8a307ab69f72f3c54a85f06fd76007d4e", "mistral-nemo"},
    KnownDigest{"d990bccdaaa20611e261434bf60bce767b03d8ee1f1d9b5cd0742b1cc96066b9",
                "mistral-small-3.2"},
    KnownDigest{"31b50c917746ef1c2611c2fef122d3ebee690aca5748ab37832734f9ad375da1",
                "ministral-3-reasoning"},
};

DUALAGENT_INLINE std::span<const KnownDigest> known_digests() { return kKnownDigests; }

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE const KnownTemplate* known_template(std::string_view name) {
  for (const KnownTemplate& known : known_templates())
    if (known.name == name) return &known;
  return nullptr;
}

DUALAGENT_INLINE std::string chat_template_digest(std::string_view jinja) {
  std::string text;
  text.reserve(jinja.size());
  for (std::size_t i = 0; i < jinja.size(); ++i) {
    if (jinja[i] != '\r')
      text += jinja[i];
    else if (i + 1 == jinja.size() || jinja[i + 1] != '\n')
      text += '\n';
  }
  if (text.ends_with('\n')) text.pop_back();
  return sha256_hex(text);
}

DUALAGENT_INLINE const KnownTemplate* recognized_template(std::string_view jinja) {
  const std::string digest = chat_template_digest(jinja);
  for (const detail::KnownDigest& known : detail::kKnownDigests)
    if (known.sha256 == digest) return known_template(known.name);
  return nullptr;
}

}  // namespace dualagent
