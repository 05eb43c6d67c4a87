package transport

import (
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls below are made raw: they never wait (MSG_DONTWAIT), so the
// runtime need not be told that a thread might be gone for long. That, and no
// lock of package net around them, is what they save.

// sockAddr is an address as the kernel writes it.
type sockAddr struct{ raw unix.RawSockaddrInet6 }

// addrPort reads the address. An IPv6 link-local one has its scope's number as
// zone.
func (a *sockAddr) addrPort() netip.AddrPort {
	if a.raw.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.raw))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), swap(v4.Port))
	}
	ip := netip.AddrFrom16(a.raw.Addr)
	if a.raw.Scope_id != 0 && ip.IsLinkLocalUnicast() {
		ip = ip.WithZone(strconv.Itoa(int(a.raw.Scope_id)))
	}
	return netip.AddrPortFrom(ip, swap(a.raw.Port))
}

// swap turns a port into network order and back.
func swap(p uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&p))
	return uint16(b[0])<<8 | uint16(b[1])
}

func recvFrom(fd int, b []byte, from *sockAddr) (int, syscall.Errno) {
	size := uint32(unsafe.Sizeof(from.raw))
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&from.raw)), uintptr(unsafe.Pointer(&size)))
	return int(n), errno
}

func sendTo(fd int, to netip.AddrPort, b []byte) syscall.Errno {
	var p unsafe.Pointer
	if len(b) > 0 {
		p = unsafe.Pointer(&b[0])
	}
	if a := to.Addr(); a.Is4() || a.Is4In6() {
		sa := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swap(to.Port()), Addr: a.As4()}
		_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(p), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&sa)), unsafe.Sizeof(sa))
		return errno
	}
	sa := unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swap(to.Port()), Addr: to.Addr().As16()}
	if z := to.Addr().Zone(); z != "" {
		if n, err := strconv.ParseUint(z, 10, 32); err == nil {
			sa.Scope_id = uint32(n)
		}
	}
	_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(p), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&sa)), unsafe.Sizeof(sa))
	return errno
}

// growBuffer makes the receive buffer larger, past the system's limit where we
// may; a burst then waits instead of being lost. It is best effort.
func growBuffer(fd, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
}

// backlog says whether a quarter of the receive buffer is in use.
func backlog(fd int) bool {
	var info [9]uint32 // SK_MEMINFO_VARS
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	const alloc, limit = 0, 1 // SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_RCVBUF
	return errno == 0 && info[alloc] > info[limit]/4
}
