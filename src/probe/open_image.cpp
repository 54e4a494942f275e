#include "probe/open_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <cerrno>

namespace asyncleak::probe {

std::string OpenImage::path() const { return fmt::format("/proc/self/fd/{}", fd.get()); }

Result<OpenImage> open_image(const python::MappedFile& file) {
  OpenImage opened{Fd(open(file.open_path.c_str(), O_RDONLY | O_CLOEXEC)), {}};
  struct stat status {};
  if (!opened.fd || fstat(opened.fd.get(), &status) != 0) {
    const int code = errno;
    auto error = system_error("opening " + file.path, code);
    if (code == EACCES) error.advice = "run as root, or with CAP_DAC_READ_SEARCH";
    return fail(std::move(error));
  }
  opened.key.file = {status.st_dev, status.st_ino};
  opened.key.modified_ns = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
  opened.key.size = status.st_size;
  return opened;
}

Result<elf::Image> read_image(const OpenImage& opened, const python::MappedFile& file) {
  auto image = elf::Image::open(opened.path());
  if (!image) return fail(within(file.path, image.error()));
  return image;
}

Result<elf::Image> read_image(const python::MappedFile& file) {
  const auto opened = open_image(file);
  if (!opened) return fail(opened.error());
  return read_image(*opened, file);
}

}  // namespace asyncleak::probe
