"""Telegram images 電文イメージ: telegrams as people can read and accept them, in documents, pages and terminals.

Imports of ours the layouts alone (`schemas`): whoever has bytes and a layout can have the image.
"""
