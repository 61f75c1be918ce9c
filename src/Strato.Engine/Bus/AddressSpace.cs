using System;

namespace Strato.Engine.Bus;

/// <summary>The devices on the port bus or the memory bus, by address.</summary>
/// <remarks>Attached before the vCPUs run; looking up takes no lock and allocates nothing.</remarks>
internal sealed class AddressSpace(string name)
{
    private (ulong Start, ulong Length, IBusDevice Device)[] _ranges = [];

    /// <summary>Gives a range of addresses to a device.</summary>
    /// <exception cref="ArgumentException">The range is empty, wraps, or overlaps one that was attached before: a fault of the engine's address map.</exception>
    public void Attach(ulong start, ulong length, IBusDevice device)
    {
        if (length == 0 || start + length < start)
        {
            throw new ArgumentException($"{name}: 0x{start:x}+0x{length:x} is not a range");
        }

        int index = 0;
        foreach ((ulong otherStart, ulong otherLength, IBusDevice other) in _ranges)
        {
            if (start < otherStart + otherLength && otherStart < start + length)
            {
                throw new ArgumentException($"{name}: 0x{start:x}+0x{length:x} of {device} overlaps {other} at 0x{otherStart:x}");
            }

            index += otherStart < start ? 1 : 0;
        }

        (ulong, ulong, IBusDevice)[] ranges = new (ulong, ulong, IBusDevice)[_ranges.Length + 1];
        _ranges.AsSpan(0, index).CopyTo(ranges);
        ranges[index] = (start, length, device);
        _ranges.AsSpan(index).CopyTo(ranges.AsSpan(index + 1));
        _ranges = ranges;
    }

    /// <summary>Reads from the device at <paramref name="address"/>; where there is none, all bits are set, as on an open bus.</summary>
    /// <returns>Whether a device answered.</returns>
    public bool Read(ulong address, Span<byte> data)
    {
        if (Find(address, data.Length, out ulong offset) is { } device)
        {
            device.Read(offset, data);
            return true;
        }

        data.Fill(0xff);
        return false;
    }

    /// <summary>Writes to the device at <paramref name="address"/>; where there is none, nothing happens.</summary>
    /// <returns>Whether a device took it.</returns>
    public bool Write(ulong address, ReadOnlySpan<byte> data)
    {
        if (Find(address, data.Length, out ulong offset) is { } device)
        {
            device.Write(offset, data);
            return true;
        }

        return false;
    }

    private IBusDevice? Find(ulong address, int length, out ulong offset)
    {
        int low = 0;
        int high = _ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            ref readonly (ulong Start, ulong Length, IBusDevice Device) range = ref _ranges[middle];
            if (address < range.Start)
            {
                high = middle - 1;
            }
            else if (address - range.Start >= range.Length)
            {
                low = middle + 1;
            }
            else
            {
                // An access that runs over the end of its device belongs to nobody.
                offset = address - range.Start;
                return (ulong)length <= range.Length - offset ? range.Device : null;
            }
        }

        offset = 0;
        return null;
    }
}
