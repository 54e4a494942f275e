#include "probe/identities.h"

#include "asyncleak_memory.h"
#include "python/memory.h"
#include "python/objects.h"

#include <algorithm>

namespace asyncleak::probe {

namespace {

template <class Text>  // al_name or al_file
std::string decode(const Text& text) {
  return python::decode_text({text.text, text.length}, text.kind, text.truncated != 0);
}

std::vector<std::uint8_t> line_table(const al_code& code, std::uint64_t object, const al_layout& layout, pid_t pid) {
  if (code.linetable_length <= AL_LINETABLE_BYTES) {
    return {code.linetable, code.linetable + code.linetable_length};
  }
  // Too long for the kernel's copy; gone with the process, and then the line is not known.
  return python::read_line_table(python::ProcessMemory(pid), layout, object).value_or(std::vector<std::uint8_t>{});
}

}  // namespace

bool is_taskless(const al_site& site) {
  return site.key.stack == AL_STACK_CALLBACK || site.key.stack == AL_STACK_OUTSIDE;
}

Frame Identities::decode(const al_code_key& key, std::optional<std::uint32_t> offset, const al_layout& layout,
                         pid_t pid) const {
  const auto code = key.print != 0 ? session_.code(key) : std::nullopt;
  if (!code) return {"?", "", std::nullopt};
  Frame frame{probe::decode(code->name), probe::decode(code->file), std::nullopt};
  if (!offset) {
    frame.line = static_cast<int>(code->first_line);
  } else {
    frame.line = python::line_at(python::line_table_kind(layout), line_table(*code, key.code, layout, pid),
                                 static_cast<int>(code->first_line), *offset);
  }
  return frame;
}

al_layout Identities::layout_of(std::uint32_t core) const {
  const auto* image = catalog_.core(core);
  return image != nullptr && image->interpreter ? image->interpreter->layout : al_layout{};
}

Frame Identities::frame(const al_code_key& key, std::optional<std::uint32_t> offset, std::uint32_t core,
                        pid_t pid) const {
  return decode(key, offset, layout_of(core), pid);
}

std::shared_ptr<const SiteIdentity> Identities::of(std::uint32_t site, const al_site& counters) {
  if (site >= known_.size()) known_.resize(site + 1);
  auto& slot = known_[site];
  if (slot) return slot;
  const auto origin = session_.origin(site);
  if (!origin || origin->ready == 0) return nullptr;
  const al_layout layout = layout_of(origin->core);
  const auto pid = static_cast<pid_t>(counters.tgid);

  auto identity = std::make_shared<SiteIdentity>();
  identity->id = ++handed_out_;
  identity->pid = pid;
  identity->process = counters.key.process;
  if (origin->qualname.kind != 0) identity->coroutine = probe::decode(origin->qualname);
  if (identity->coroutine.empty()) identity->coroutine = "?";  // a program may call a function nothing
  if (is_taskless(counters)) {
    identity->kind = "alloc";
    identity->blocks = true;
    if (counters.key.stack == AL_STACK_OUTSIDE) identity->coroutine = "(outside the event loop)";
  }
  if ((origin->flags & AL_ORIGIN_TYPE) == 0 && origin->code != 0) {
    const auto frame = decode({origin->code, origin->print, origin->process, 0}, std::nullopt, layout, pid);
    identity->file = frame.file;
    identity->line = frame.line;
  }
  const auto depth = std::min<std::uint32_t>(origin->depth, AL_MAX_FRAMES);
  for (std::uint32_t i = 0; i < depth; i++) {
    const auto& frame = origin->frames[i];
    identity->created_at.push_back(decode({frame.code, frame.print, origin->process, 0}, frame.offset, layout, pid));
    if ((origin->flags & AL_ORIGIN_NO_OFFSETS) != 0) identity->created_at.back().line.reset();
  }
  identity->preexisting = (origin->flags & AL_ORIGIN_PREEXISTING) != 0;
  identity->stack_cut = (origin->flags & AL_ORIGIN_MORE) != 0;
  return slot = std::move(identity);
}

void Identities::forget(std::uint32_t site) {
  if (site < known_.size()) known_[site].reset();
}

}  // namespace asyncleak::probe
