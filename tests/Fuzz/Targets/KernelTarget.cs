using System.Collections.Generic;
using System.IO;
using Strato.Engine.Boot;
using Strato.Engine.Memory;
using Strato.Tests.Unit.Boot;
using Strato.Tests.Unit.Driver;

namespace Strato.Tests.Fuzz.Targets;

/// <summary>A kernel's file, bzImage or ELF: what is loaded lies in RAM, above what is the engine's.</summary>
internal sealed class KernelTarget : FuzzTarget
{
    private readonly TemporaryFile _file = new();
    private readonly GuestMemory _memory = GuestMemory.Allocate(Layout.RamRanges(256 << 20));
    private int _inputs;

    public override IReadOnlyList<byte[]> Seeds { get; } =
    [
        new BzImageBuilder { Code = BzImageBuilder.Pattern(512) }.Build(),
        ElfBuilder.Kernel().Build(),
        ElfBuilder.Kernel(pvhEntry: ElfBuilder.Base).Build(),
    ];

    public override IReadOnlyList<byte[]> Words { get; } = WordList.Of("HdrS", "\u007fELF", "Xen\0", "linux\0", "GNU\0", "MZ");

    public override string Run(byte[] input)
    {
        File.WriteAllBytes(_file.Path, input);
        using ImageFile file = ImageFile.Open(_file.Path, ImageRole.Kernel, "-kernel");

        // Nobody reads what an earlier kernel left in RAM; giving it back each time would take most of the time.
        if (_inputs++ % 100 == 0)
        {
            _memory.Discard();
        }

        LoadedKernel kernel = KernelImage.Load(_memory, file);
        foreach (AddressRange range in kernel.Used)
        {
            Require(_memory.Contains(range.Start, range.Length) && range.Start >= Layout.HighMemoryStart, $"it uses {range}");
        }

        Require(_memory.Contains(kernel.Entry, 1), $"its entry is at 0x{kernel.Entry:x}");
        return $"loaded: {kernel.Format}, {kernel.Kind}, {kernel.Used.Count} ranges";
    }

    protected override void Dispose(bool disposing)
    {
        _memory.Dispose();
        _file.Dispose();
    }
}
