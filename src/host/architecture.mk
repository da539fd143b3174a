# What the compiler is called and told for each ARCH; src/verity-map takes it too.

# compiler prefix, Debian's library triplet, code generation, what the engine calls it (GOARCH and OCI variant)
ifeq ($(ARCH),amd64)
  CROSS := x86_64-linux-gnu-
  TRIPLET := x86_64-linux-gnu
  MACHINE := -march=x86-64
  GOARCH := amd64
else ifeq ($(ARCH),i386)
  CROSS := i686-linux-gnu-
  TRIPLET := i386-linux-gnu
  MACHINE := -march=i686
  GOARCH := 386
else ifeq ($(ARCH),aarch64)
  CROSS := aarch64-linux-gnu-
  TRIPLET := aarch64-linux-gnu
  MACHINE := -march=armv8-a
  GOARCH := arm64
  VARIANT := v8
else ifeq ($(ARCH),armv7hf)
  CROSS := arm-linux-gnueabihf-
  TRIPLET := arm-linux-gnueabihf
  MACHINE := -march=armv7-a+fp -mthumb
  GOARCH := arm
  VARIANT := v7
  SHA256_FLAGS := -march=armv8-a+crypto -mfpu=crypto-neon-fp-armv8 -DSHA256_ARM32_CRYPTO
else ifeq ($(ARCH),armv6l)
  CROSS := arm-linux-gnueabi-
  TRIPLET := arm-linux-gnueabi
  MACHINE := -march=armv6 -marm
  GOARCH := arm
  VARIANT := v6
else ifeq ($(ARCH),armv5e)
  CROSS := arm-linux-gnueabi-
  TRIPLET := arm-linux-gnueabi
  MACHINE := -march=armv5te -marm
  GOARCH := arm
  VARIANT := v5
else
  $(error ARCH must be armv5e, armv6l, armv7hf, aarch64, i386 or amd64)
endif
