using Microsoft.Win32.SafeHandles;

namespace Strato.Engine.Linux;

/// <summary>Owns one file descriptor. Hot paths keep <see cref="Value"/> and rely on the owner's lifetime.</summary>
internal sealed class FileDescriptor : SafeHandleMinusOneIsInvalid
{
    public FileDescriptor(int value)
        : base(ownsHandle: true)
    {
        SetHandle(value);
    }

    public int Value => (int)handle;

    /// <summary>Gives the descriptor away: closing it is the caller's from now on.</summary>
    public int Detach()
    {
        int value = Value;
        SetHandleAsInvalid();
        return value;
    }

    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;
}
