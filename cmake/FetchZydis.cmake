# cmake -DURL=... -DTO=... -P FetchZydis.cmake: Zydis's source below TO. The hash is that of Debian 12's source package
# (zydis 4.0.0-1, as its signed index says), whatever URL it comes from.
set(tarball ${TO}.tar.gz)
file(DOWNLOAD ${URL} ${tarball} EXPECTED_HASH SHA256=e990107f80c62afc1deb51de230023a1098db801b8ea6bf483e296d45459e234
     STATUS status TIMEOUT 120)
list(GET status 0 failed)
if(failed)
  message(FATAL_ERROR "asyncleak-top: ${URL}: ${status}; -DZYDIS_URL=file:///... takes it from elsewhere")
endif()
file(ARCHIVE_EXTRACT INPUT ${tarball} DESTINATION ${TO}.new)
file(GLOB unpacked ${TO}.new/*)
file(REMOVE_RECURSE ${TO})
file(RENAME ${unpacked} ${TO})
