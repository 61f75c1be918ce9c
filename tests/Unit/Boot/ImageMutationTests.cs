using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using FsCheck;
using FsCheck.Fluent;
using Strato.Engine.Boot;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Boot;

/// <summary>However an image is damaged: it is loaded or refused by name, and nothing is written where no kernel may go.</summary>
public class ImageMutationTests
{
    private const byte Canary = 0x5A;

    private static readonly ulong[] Interesting =
        [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x1000, 0xF_FFFF, 0x10_0000, 0x0FFF_FFFF, 0x1000_0000, 0x7FFF_FFFF, 0xFFFF_FFFF, 1UL << 32, 1UL << 63, ulong.MaxValue];

    private static Gen<(int Offset, int Width, ulong Value)> Damage(int headerLength) =>
        from offset in Gen.Choose(0, headerLength - 8)
        from width in Gen.Elements(1, 2, 4, 8)
        from value in Gen.OneOf(Gen.Elements(Interesting), Gen.Choose(0, int.MaxValue).Select(value => (ulong)value * 0x1_0001))
        select (offset, width, value);

    private static Gen<(List<(int Offset, int Width, ulong Value)> Damages, int Cut)> Damages(byte[] image, int headerLength) =>
        from count in Gen.Choose(1, 4)
        from damages in Damage(headerLength).ListOf(count)
        from cut in Gen.Frequency((3, Gen.Constant(image.Length)), (1, Gen.Choose(0, image.Length)))
        select (new List<(int, int, ulong)>(damages), cut);

    [Fact]
    public void ADamagedBzImageNeverHarms() => Check(new BzImageBuilder().Build(), 0x270);

    [Fact]
    public void ADamagedElfKernelNeverHarms() => Check(ElfBuilder.Kernel().Build(), 64 + (2 * 56));

    [Fact]
    public void DamagedNotesNeverHarm()
    {
        byte[] image = ElfBuilder.Kernel(pvhEntry: ElfBuilder.Base).Build();
        Check(image, image.Length);
    }

    private static void Check(byte[] image, int headerLength)
    {
        using BootFixture boot = new();
        Assert.True(boot.Memory.TryGetSpan(0, (int)Layout.HighMemoryStart, out Span<byte> low));
        low.Fill(Canary);
        int loaded = 0;
        Prop.ForAll(Damages(image, headerLength).ToArbitrary(), damaged => Holds(boot, image, damaged.Damages, damaged.Cut, ref loaded))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
        Assert.InRange(loaded, 20, 980); // both outcomes were seen
    }

    private static bool Holds(BootFixture boot, byte[] image, List<(int Offset, int Width, ulong Value)> damages, int cut, ref int loaded)
    {
        byte[] copy = [.. image];
        Span<byte> value = stackalloc byte[8];
        foreach ((int offset, int width, ulong number) in damages)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(value, number);
            value[..Math.Min(width, copy.Length - offset)].CopyTo(copy.AsSpan(offset));
        }

        File.WriteAllBytes(boot.PathOf("damaged"), copy[..cut]);
        using ImageFile file = ImageFile.Open(boot.PathOf("damaged"), ImageRole.Kernel, "-kernel");
        try
        {
            LoadedKernel kernel = KernelImage.Load(boot.Memory, file);
            foreach (AddressRange range in kernel.Used)
            {
                Assert.True(boot.Memory.Contains(range.Start, range.Length));
                Assert.True(range.Start >= Layout.HighMemoryStart);
            }

            Assert.True(boot.Memory.Contains(kernel.Entry, 1));
            Assert.True(kernel.CommandLineMax < Layout.CommandLineRoom);
            loaded++;
        }
        catch (UserErrorException error)
        {
            Assert.StartsWith("Kernel", error.Id, StringComparison.Ordinal);
        }

        return boot.Memory.TryGetSpan(0, (int)Layout.HighMemoryStart, out Span<byte> low) && low.IndexOfAnyExcept(Canary) < 0;
    }
}
