namespace Strato.Engine.Bus;

/// <summary>A device's interrupt that stays asserted until the device takes it back. From any thread.</summary>
internal interface ILevelInterruptLine
{
    void Set(bool asserted);
}
