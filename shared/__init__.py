"""The decisions and the work of Vouchsafe: one package a flow, with Azure behind `shared.azure`."""
